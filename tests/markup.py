"""HTML that the library writes, as a browser would read it."""

from html.parser import HTMLParser


class Checker(HTMLParser):
    """The tags and the words; whatever a browser would not close is left in ``open``."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.words = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
