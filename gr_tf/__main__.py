"""`python -m gr_tf` is the program `gr_tf`."""

from gr_tf.commands.main import main

if __name__ == "__main__":
    main()
