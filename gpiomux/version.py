"""The one place that names the version; pyproject.toml and `gpiomux --version` both read it."""

VERSION = "0.1.0"
