"""A scikit-learn pipeline from clips to actions, judged on people whom it has not seen.

    python examples/sklearn_pipeline.py

The clips are made up; yours are a list of arrays (frames, people, joints, 3), or a list of `Clip`.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from crosscale.inference.head import LinearHead
from crosscale.inference.transformer import SkeletonEmbedder
from crosscale.synthesis import ClipName, record_clips
from crosscale.synthesis.named import action

ACTIONS, PEOPLE, TAKES = (2, 6, 7, 9), 6, 2

names = [
    ClipName(subject=who, repetition=take, action=what, camera=1)
    for what in ACTIONS
    for who in range(1, 1 + PEOPLE)
    for take in range(1, 1 + TAKES)
]
clips = [record_clips([name], seed=0)[0].coordinates for name in names]
labels = np.array([action(name.action).name for name in names])
people = np.array([name.subject for name in names])

# `body` comes with the package and takes clips of any layout; a run folder may stand in its place.
embed = SkeletonEmbedder("body", layout="ntu25")
for last in (LinearHead(), make_pipeline(StandardScaler(), LogisticRegression(C=0.1))):
    pipeline = make_pipeline(embed, last)
    right = cross_val_score(pipeline, clips, labels, groups=people, cv=GroupKFold(3))
    print(f"{type(last).__name__}: {100 * right.mean():.0f} % right of people never seen")

# Heads also give calibrated probabilities, and tell what is none of the classes.
seen = people < PEOPLE
pipeline = make_pipeline(embed, LinearHead())
pipeline.fit(
    [clips[i] for i in np.flatnonzero(seen)], labels[seen], linearhead__groups=people[seen]
)
new = [clips[i] for i in np.flatnonzero(~seen)]
known = pipeline[-1].known(pipeline[:-1].transform(new))
for true, shares, familiar in zip(labels[~seen], pipeline.predict_proba(new), known, strict=True):
    told = pipeline.classes_[shares.argmax()] if familiar else "none of these"
    print(f"{true}: {told}, {100 * shares.max():.0f} %")
