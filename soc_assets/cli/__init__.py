"""The `soc` command: its commands, what they print, and running steps from a terminal."""
