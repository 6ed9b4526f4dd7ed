"""The partitioned adjacency of ST-GCN, from a graph.

Source: Yan et al., "Spatial temporal graph convolutional networks" (AAAI 2018), section 3.4.
"""

from typing import Literal

import numpy as np

from crosscale.skeleton.layout import Graph

Hops = Literal["exact", "capped"]


def partitioned_adjacency(graph: Graph, hops: Hops = "exact") -> np.ndarray:
    """Adjacency with self links, in three subsets by distance to the centre.

    Entry [k, v, w] is the weight with which node v flows into node w: columns of the sum over k
    add up to one. Subsets: the node itself; v farther from the centre than w, or as far; v closer.

    Args:
        graph: V nodes.
        hops: `exact` hop distances, or `capped` at one as in the published code, where every
            distance beyond the centre's neighbours counts as equal.

    Returns:
        (3, V, V) float32.
    """
    size = len(graph.names)
    links = np.eye(size)
    for child, parent in graph.edges:
        links[child, parent] = links[parent, child] = 1
    normalised = links / links.sum(axis=0)
    distance = _depth(graph)
    if hops == "capped":
        distance = np.where(distance > 1, np.inf, distance)
    source, target = distance[:, None], distance[None, :]
    itself = np.eye(size, dtype=bool)
    subsets = [itself, ~itself & (source >= target), source < target]
    return np.stack([normalised * s for s in subsets]).astype(np.float32)


def _depth(graph: Graph) -> np.ndarray:
    """Hops from each node to the centre, (V,)."""
    depth = np.zeros(len(graph.names))
    for node in range(len(graph.names)):
        step = node
        while step != graph.centre:
            step = graph.parents[step]
            depth[node] += 1
    return depth
