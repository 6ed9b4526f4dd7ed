"""A grid search over what follows the encoder; each clip is embedded once.

    python examples/grid_search.py

The clips are made up; yours are a list of arrays (frames, people, joints, 3), or a list of `Clip`.
"""

import tempfile

import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import SVC

from crosscale.inference.head import LinearHead, NeighbourHead
from crosscale.inference.transformer import SkeletonEmbedder
from crosscale.synthesis import ClipName, record_clips

names = [ClipName(who, 1, what, 1) for what in range(1, 10) for who in range(1, 7)]
clips = [record_clips([name], seed=1)[0].coordinates for name in names]
labels = np.array([name.action for name in names])
people = np.array([name.subject for name in names])

with tempfile.TemporaryDirectory() as memory:  # embeddings of each fold are kept, and asked again
    pipeline = Pipeline(
        [
            ("embed", SkeletonEmbedder("body", layout="ntu25")),
            ("scale", StandardScaler()),
            ("name", LinearHead()),
        ],
        memory=memory,
    )
    grid = [
        {"scale": ["passthrough"], "name": [LinearHead(), NeighbourHead()]},
        {"scale": [StandardScaler(), Normalizer()], "name": [SVC()], "name__C": [0.1, 1, 10]},
        {"scale": [Normalizer()], "name": [KNeighborsClassifier()], "name__n_neighbors": [1, 3]},
    ]
    search = GridSearchCV(pipeline, grid, cv=StratifiedGroupKFold(3))
    search.fit(clips, labels, groups=people)

for place in np.argsort(search.cv_results_["rank_test_score"])[:5]:
    right = search.cv_results_["mean_test_score"][place]
    told = {k: v for k, v in search.cv_results_["params"][place].items() if k != "scale"}
    print(f"{100 * right:.0f} %: {told}")
print(f"best: {search.best_params_}")
