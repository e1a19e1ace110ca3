"""`python -m ghbench` is `ghbench`."""

from ghbench.cli import main

if __name__ == "__main__":
    main()
