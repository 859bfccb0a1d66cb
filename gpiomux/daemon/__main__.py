"""`python -m gpiomux.daemon`: the same as `gpiomuxd`."""

from gpiomux.daemon.main import main

main()
