"""Who a party is, and what it keeps on its disk: keys, certificates, sealed material."""
