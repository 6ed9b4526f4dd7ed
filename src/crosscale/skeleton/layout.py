"""Layouts: which joints a skeleton has, how they hang together, and its coarser scales.

A layout is one readable YAML file. Joints are told apart by name; positions are only how a
tensor stores them.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from crosscale.errors import CrosscaleError, nearest
from crosscale.skeleton.joint_names import other_side
from crosscale.utils.formats import read_yaml

JOINT_SCALE = "joints"
FINE_SCALE = "fine"
UNKNOWN = "?"  # in a layout that is to be completed
PEOPLE = "part10"  # a scale that layouts of people have


@dataclass(frozen=True)
class Graph:
    """The nodes of one scale and how they hang together: what an encoder sees.

    Attributes:
        names: V node names.
        parents: each node's neighbour towards the centre; the centre is its own parent.
        centre: index of the centre.
        pooling: (V, J) rows summing to one that make each node from the layout's J joints.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    centre: int
    pooling: np.ndarray

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) for every node but the centre."""
        return tuple((v, p) for v, p in enumerate(self.parents) if v != p)

    @property
    def other_side(self) -> list[int]:
        """For each node, the one that a mirror shows in its place, by their names."""
        images = [other_side(name) for name in self.names]
        return [self.names.index(i) if i in self.names else v for v, i in enumerate(images)]


@dataclass(frozen=True)
class Layout:
    """The joints of a skeleton, and its scales.

    Attributes:
        name: how commands call it.
        joints: J joint names, in the order in which tensors hold them.
        parents: each joint's parent (an index); the centre is its own parent.
        centre: index of the centre of the graph.
        root: joints whose mean is the body's place in space.
        shoulders: (left, right); of an animal the pair in front. With the hips they tell where a
            body faces and, in the plane, how large it is. Without pairs the centre, twice.
        hips: (left, right); of an animal the pair behind.
        scales: named graphs, among them `joints` (the joints themselves) and `fine` (the joints
            and the middle of every bone).
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    centre: int
    root: tuple[int, ...]
    shoulders: tuple[int, int]
    hips: tuple[int, int]
    pairs: tuple[tuple[int, int], ...]
    scales: Mapping[str, Graph]
    source: Mapping[str, Any]

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) for every joint but the centre."""
        return self.scales[JOINT_SCALE].edges

    @property
    def other_side(self) -> list[int]:
        """For each joint, the one that a mirror shows in its place: itself in the middle."""
        return self.scales[JOINT_SCALE].other_side

    @classmethod
    def load(cls, name: str | Path) -> "Layout":
        """Load a built-in layout by name, or one's own from a YAML file.

        Raises:
            CrosscaleError: when there is none, or it contradicts itself.
        """
        if str(name) in builtin_layouts():
            return _builtin(str(name))
        path = Path(name)
        if not path.is_file():
            hint = nearest(str(name), builtin_layouts(), "crosscale list layouts")
            raise CrosscaleError(f"no layout '{name}', nor a YAML file of that name: {hint}")
        return cls.from_dict(read_yaml(path), origin=str(path))

    @classmethod
    def of(cls, given: "str | Path | Layout") -> "Layout":
        """A layout as it is, or loaded by its name or path.

        Raises:
            CrosscaleError: as `load`.
        """
        return given if isinstance(given, Layout) else cls.load(given)

    @classmethod
    def from_dict(cls, source: Any, origin: str = "layout") -> "Layout":
        """Check a layout given as plain data, and build it.

        Raises:
            CrosscaleError: naming `origin` and what is wrong.
        """
        return _LayoutParser(source, origin).parse()

    def to_dict(self) -> dict[str, Any]:
        """Plain data from which `from_dict` builds the same layout, all entries said."""
        return deepcopy(dict(self.source))

    def index(self, joint: str) -> int:
        """Position of a joint.

        Raises:
            CrosscaleError: when the layout has no such joint.
        """
        if joint not in self.joints:
            raise CrosscaleError(f"layout {self.name} has no joint '{joint}'")
        return self.joints.index(joint)

    def order_from(self, names: Sequence[str]) -> list[int]:
        """Positions in `names` of this layout's joints: `x[..., order, :]` reorders.

        Raises:
            CrosscaleError: when joints are missing, unknown or named twice.
        """
        missing = [j for j in self.joints if j not in names]
        unknown = [n for n in names if n not in self.joints]
        if missing or unknown or len(set(names)) != len(names):
            raise CrosscaleError(
                f"joints do not fit layout {self.name}: missing {missing}, unknown {unknown}, "
                f"{len(names)} names of which {len(set(names))} differ"
            )
        return [list(names).index(j) for j in self.joints]

    def scale(self, name: str) -> Graph:
        """The graph of a scale.

        Raises:
            CrosscaleError: when the layout has no such scale.
        """
        if name not in self.scales:
            raise CrosscaleError(
                f"layout {self.name} has no scale '{name}'; it has {', '.join(self.scales)}"
            )
        return self.scales[name]


def builtin_layouts() -> list[str]:
    """Names of the layouts inside the package."""
    folder = resources.files("crosscale.skeleton") / "layouts"
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir())


@cache
def _builtin(name: str) -> Layout:
    file = resources.files("crosscale.skeleton") / "layouts" / f"{name}.yaml"
    return Layout.from_dict(read_yaml(file), origin=f"layout {name}")


class _LayoutParser:
    """Turns plain data into a layout, or says which line of it is wrong."""

    def __init__(self, source: Any, origin: str) -> None:
        self.source = source
        self.origin = origin

    def parse(self) -> Layout:
        source = self.source
        if not isinstance(source, Mapping):
            self.fail("is not a mapping with joints, parents, centre, …")
        known = {"name", "joints", "parents", "centre", "root", "shoulders", "hips", "scales"}
        needed = ("joints", "name", "parents")
        if missing := [entry for entry in needed if entry not in source]:
            self.fail(f"lacks {', '.join(missing)}")
        if unknown := sorted(set(source) - known):
            self.fail(f"has unknown entries {', '.join(unknown)}")
        joints = self.names(source["joints"], "joints")
        if len(joints) < 2:
            self.fail("needs two joints or more")
        if not isinstance(source["parents"], Mapping):
            self.fail("needs a mapping of joints to their parents under parents")
        own = source.get("scales") or {}
        if not isinstance(own, Mapping):
            self.fail("needs a mapping of names to scales under scales")
        top = next((joint for joint in joints if joint not in source["parents"]), joints[0])
        centre = self.find(source.get("centre", top), joints, "centre")
        pairs = self.pairs(joints)
        parents = self.tree(joints, centre, source["parents"])
        graph = Graph(joints, parents, centre, np.eye(len(joints)))
        scales = {JOINT_SCALE: graph, FINE_SCALE: interpolated(graph)}
        for name, scale in own.items():
            scales[str(name)] = self.scale(str(name), scale, joints)
        middle = self.names(source.get("root", [joints[centre]]), "root")
        root = tuple(self.find(joint, joints, "root") for joint in middle)
        shoulders = self.couple("shoulder", joints, [*pairs, (centre, centre)][0])
        hips = self.couple("hip", joints, [(centre, centre), *pairs][-1])
        told = (("root", root), ("shoulders", shoulders), ("hips", hips))
        return Layout(
            name=str(source["name"]),
            joints=joints,
            parents=parents,
            centre=centre,
            root=root,
            shoulders=shoulders,
            hips=hips,
            pairs=pairs,
            scales=scales,
            source={**source, "centre": joints[centre]}
            | {entry: [joints[joint] for joint in them] for entry, them in told},
        )

    def fail(self, what: str) -> None:
        raise CrosscaleError(f"{self.origin} {what}")

    def names(self, given: Any, what: str) -> tuple[str, ...]:
        if not isinstance(given, Sequence) or not given or isinstance(given, str):
            self.fail(f"needs a list of names under {what}")
        names = tuple(str(n) for n in given)
        if twice := sorted({n for n in names if names.count(n) > 1}):
            self.fail(f"names {', '.join(twice)} twice under {what}")
        return names

    def weights(self, given: Any, what: str) -> dict[str, float]:
        """Joints that count alike, or each by a number of its own."""
        if not isinstance(given, Mapping):
            return dict.fromkeys(self.names(given, what), 1.0)
        for joint, weight in given.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight > 0:
                self.fail(f"gives {joint} the weight {weight} under {what}, not a number above 0")
        names = self.names(list(given), what)
        return {name: float(weight) for name, weight in zip(names, given.values(), strict=True)}

    def find(self, name: Any, names: Sequence[str], what: str) -> int:
        if name == UNKNOWN:
            self.fail(f"still has a question mark under {what}: put a name in its place")
        if name not in names:
            self.fail(f"names '{name}' under {what}, which is not one of {', '.join(names)}")
        return names.index(name)

    def couple(self, joint: str, joints: Sequence[str], usual: tuple[int, int]) -> tuple[int, int]:
        """The two joints under `shoulders` or `hips`; not given, those of that name, or `usual`."""
        given = self.source.get(f"{joint}s")
        if given is None:
            named = [f"left_{joint}", f"right_{joint}"]
            return (joints.index(named[0]), joints.index(named[1])) if named[0] in joints else usual
        if not isinstance(given, Sequence) or len(given) != 2:
            self.fail(f"needs [left, right] under {joint}s")
        left, right = (self.find(j, joints, f"{joint}s") for j in given)
        return left, right

    def pairs(self, joints: Sequence[str]) -> tuple[tuple[int, int], ...]:
        """Joints named left_… and right_… are each other's mirror image."""
        pairs = []
        for i, joint in enumerate(joints):
            if joint.startswith("left_"):
                other = "right_" + joint.removeprefix("left_")
                pairs.append((i, self.find(other, joints, f"joints, as the mirror of {joint}")))
        return tuple(pairs)

    def tree(
        self, names: Sequence[str], centre: int, parents: Mapping[str, str]
    ) -> tuple[int, ...]:
        lacking = [n for i, n in enumerate(names) if n not in parents and i != centre]
        if lacking:
            self.fail(f"gives no parent for {', '.join(lacking)}")
        for child in parents:
            self.find(child, names, "parents")
        indices = tuple(
            centre if i == centre else self.find(parents[n], names, f"parents, for {n}")
            for i, n in enumerate(names)
        )
        for start in range(len(names)):
            node = start
            for _ in names:
                node = indices[node]
            if node != centre:
                self.fail(
                    f"never reaches the centre, {names[centre]}, from {names[start]}: mend under "
                    "parents what hangs on what, or take out the line of the joint that all hang on"
                )
        return indices

    def scale(self, name: str, given: Any, joints: Sequence[str]) -> Graph:
        if name in (JOINT_SCALE, FINE_SCALE):
            self.fail(f"may not redefine the scale '{name}'")
        if not isinstance(given, Mapping) or set(given) != {"parts", "centre", "edges"}:
            self.fail(f"needs parts, centre and edges under scale {name}")
        if not isinstance(given["parts"], Mapping):
            self.fail(f"needs a mapping of parts to their joints under scale {name}")
        edges = given["edges"]
        if not isinstance(edges, Sequence) or not all(
            isinstance(edge, Sequence) and len(edge) == 2 for edge in edges
        ):
            self.fail(f"needs a list of edges, each of two parts, under scale {name}")
        parts = self.names(list(given["parts"]), f"scale {name}")
        pooling = np.zeros((len(parts), len(joints)))
        for row, part in enumerate(parts):
            for joint, weight in self.weights(given["parts"][part], f"part {part}").items():
                pooling[row, self.find(joint, joints, f"part {part}")] = weight
        pooling /= pooling.sum(axis=1, keepdims=True)
        centre = self.find(given["centre"], parts, f"scale {name}")
        parents = _towards(centre, parts, [(str(a), str(b)) for a, b in edges])
        return Graph(parts, self.tree(parts, centre, parents), centre, pooling)


def _towards(centre: int, names: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parents on the way to the centre, from edges without direction."""
    remaining = list(edges)
    parents: dict[str, str] = {}
    frontier = [names[centre]]
    while frontier:
        node = frontier.pop(0)
        for edge in [e for e in remaining if node in e]:
            remaining.remove(edge)
            child = edge[1] if edge[0] == node else edge[0]
            parents[child] = node
            frontier.append(child)
    return parents


def interpolated(graph: Graph) -> Graph:
    """The finer scale: every node, and between each and its parent the middle of the bone."""
    count = len(graph.names)
    middles = {child: count + i for i, (child, _) in enumerate(graph.edges)}
    names = graph.names + tuple(f"{graph.names[c]}_bone" for c in middles)
    parents = [middles.get(v, v) for v in range(count)] + [p for _, p in graph.edges]
    halves = [(graph.pooling[c] + graph.pooling[p]) / 2 for c, p in graph.edges]
    pooling = np.concatenate([graph.pooling, np.stack(halves)])
    return Graph(names, tuple(parents), graph.centre, pooling)
