"""``python -m hptune_bench``."""

from hptune_bench.cli.main import main

if __name__ == "__main__":
    main()
