"""Families that come with the library, one TOML file each; see `tasks.files.bundled`."""
