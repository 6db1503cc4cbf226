"""`python -m editbench` is `editbench`."""

from editbench.cli import main

if __name__ == "__main__":
    main()
