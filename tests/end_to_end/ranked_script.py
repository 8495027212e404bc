"""A script that trains in two processes: `python ranked_script.py STRATEGY CALLBACKS`."""

import sys

import lightning
from support.scripts import line, loader

import provrunner

if __name__ == "__main__":
    strategy, callbacks = sys.argv[1:]
    trainer = lightning.Trainer(
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        accelerator="cpu",
        devices=2,
        strategy=strategy,
        callbacks=[provrunner.ProvenanceCallback("logs") for _ in range(int(callbacks))],
    )
    model = line()
    trainer.fit(model, loader(), loader(2))
    trainer.test(model, loader(2), verbose=False)
