"""Options of `crosscale pretrain` for an encoder that is made in seconds."""

TINY = [
    "--optimisation.epochs=1",
    "--optimisation.batch=16",
    "--encoder.hidden=4",
    "--encoder.width=16",
    "--encoder.dropout=0",
    "--contrast.queue=32",
    "--preprocess.frames=16",
    "--preprocess.bodies=2",
]
