"""What `soc doctor` looks at: machine, packages, the project's folders; it works where these are broken."""
