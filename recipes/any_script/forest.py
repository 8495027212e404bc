"""A scikit-learn pipeline: its parameters, steps, data and scores."""

from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import provrunner

x, y = load_wine(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(20, max_depth=3, random_state=0))

with provrunner.run(name="forest", objective="test/accuracy", direction="maximize") as run:
    run.watch(data={"train": (x_train, y_train), "test": (x_test, y_test)})
    pipeline.fit(x_train, y_train)
    run.log_estimator(pipeline, {"test/accuracy": pipeline.score(x_test, y_test)})
