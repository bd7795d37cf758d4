"""`python -m gr_tf` is the program `gr_tf`."""

from gr_tf.runs import streams


def main() -> None:
    """Runs the program; see gr_tf.runs.streams for its streams, its signals, and exit status."""
    streams.open_closed()
    with streams.interrupted_at_once():
        from gr_tf.commands.main import main as run
    run()


if __name__ == "__main__":
    main()
