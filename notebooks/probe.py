"""Print what JAX finds on this machine, as JSON: the doctor runs it in a process that may crash."""

import json


def look() -> dict[str, object]:
    """Devices by backend, and the cache directory; the keys ``jax`` and ``namedtensor`` hold what fails."""
    found: dict[str, object] = {}
    try:
        import jax
        import jax.extend.backend

        float(jax.numpy.ones(3).sum())  # the default device computes
        clients = jax.extend.backend.backends()
        found["devices"] = {k: [d.device_kind for d in client.devices()] for k, client in clients.items()}
        found["default"] = jax.default_backend()
    except Exception as error:  # whatever a broken installation raises
        return {"jax": _told(error)}
    try:
        from namedtensor.models import _cache

        found["cache"] = str(_cache.directory())
    except Exception as error:
        found["namedtensor"] = _told(error)
    return found


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:400]


if __name__ == "__main__":
    print(json.dumps(look()))
