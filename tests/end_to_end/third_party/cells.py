"""scvi-tools: a variational autoencoder of cells, with a Trainer of its own class."""

import scvi

cells = scvi.data.synthetic_iid()
scvi.model.SCVI.setup_anndata(cells)
model = scvi.model.SCVI(cells, n_hidden=8, n_latent=2)
model.train(max_epochs=2, accelerator="cpu", train_size=0.8, check_val_every_n_epoch=1)
