"""Options of `crosscale pretrain` for an encoder that is made in seconds."""

TINY = [
    "--training.epochs=1",
    "--training.batch_size=16",
    "--encoder.hidden=4",
    "--encoder.width=16",
    "--encoder.dropout=0",
    "--objective.queue=32",
    "--preprocess.frames=16",
    "--preprocess.bodies=2",
]
