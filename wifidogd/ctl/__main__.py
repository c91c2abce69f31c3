"""C{python -m wifidogd.ctl} is wifidogctl."""

from wifidogd.ctl import main

main()
