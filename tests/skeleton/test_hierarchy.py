"""Layouts from the hierarchies of motion-capture software."""

import pytest
import yaml

from crosscale.data.conversion import pooling
from crosscale.errors import CrosscaleError
from crosscale.skeleton.hierarchy import layout_from_hierarchy
from crosscale.skeleton.joint_names import plain_names
from crosscale.skeleton.layout import Layout


def tree(text: str) -> tuple[tuple[str, ...], list[int]]:
    """Names and parents from an indented list."""
    names, parents, line = [], [], []
    for row in text.strip("\n").splitlines():
        depth = len(row) - len(row.lstrip())
        while line and line[-1][0] >= depth:
            line.pop()
        parents.append(line[-1][1] if line else 0)
        line.append((depth, len(names)))
        names.append(row.strip())
    return plain_names(names), parents


def body(hips, spine, arm, leg, sides=("Left", "Right")) -> str:
    """An indented body: `arm` and `leg` are chains with {} for the side."""
    rows = [hips]
    for side in sides:
        rows += [" " * (1 + i) + name.format(side) for i, name in enumerate(leg)]
    rows += [" " * (1 + i) + name for i, name in enumerate(spine)]
    chest = next(i for i, name in enumerate(spine) if "eck" in name)
    for side in sides:
        rows += [" " * (1 + chest + i) + name.format(side) for i, name in enumerate(arm)]
    return "\n".join(rows)


MIXAMO = body(
    "mixamorig:Hips",
    [f"mixamorig:{n}" for n in ("Spine", "Spine1", "Spine2", "Neck", "Head", "Head_end")],
    [f"mixamorig:{{}}{n}" for n in ("Shoulder", "Arm", "ForeArm", "Hand", "HandIndex1")],
    [f"mixamorig:{{}}{n}" for n in ("UpLeg", "Leg", "Foot", "ToeBase")],
)
ACCLAIM = body(
    "root",
    ["lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head"],
    ["{}clavicle", "{}humerus", "{}radius", "{}wrist", "{}hand"],
    ["{}hipjoint", "{}femur", "{}tibia", "{}foot", "{}toes"],
    ("l", "r"),
)
BIOVISION = body(
    "Hips",
    ["Chest", "Neck", "Head"],
    ["{}Collar", "{}Shoulder", "{}Elbow", "{}Wrist"],
    ["{}Hip", "{}Knee", "{}Ankle", "{}Ankle_end"],
)
UNREAL = body(
    "pelvis",
    ["spine_01", "spine_02", "neck_01", "head"],
    [
        "clavicle_{}",
        "upperarm_{}",
        "upperarm_twist_{}",
        "lowerarm_{}",
        "lowerarm_twist_{}",
        "hand_{}",
    ],
    ["thigh_{}", "calf_{}", "foot_{}", "ball_{}"],
    ("l", "r"),
)
POSER = body(
    "hip",
    ["abdomen", "chest", "neck", "head"],
    ["{}Collar", "{}Shldr", "{}ForeArm", "{}Hand"],
    ["{}Buttock", "{}Thigh", "{}Shin", "{}Foot"],
    ("l", "r"),
)


@pytest.mark.parametrize(
    ("text", "shoulder", "hip", "root", "centre"),
    [
        (MIXAMO, "left_arm", "left_up_leg", "hips", "spine2"),
        (ACCLAIM, "left_humerus", "left_femur", "root", "thorax"),
        (BIOVISION, "left_shoulder", "left_hip", "hips", "chest"),
        (UNREAL, "left_upperarm", "left_thigh", "pelvis", "spine02"),
        (POSER, "left_shldr", "left_thigh", "hip", "chest"),
    ],
    ids=["mixamo", "acclaim", "biovision", "unreal", "poser"],
)
def test_the_body_is_found_by_common_names(text, shoulder, hip, root, centre):
    layout = layout_from_hierarchy("mine", *tree(text))
    assert layout.joints[layout.shoulders[0]] == shoulder
    assert layout.joints[layout.shoulders[1]] == shoulder.replace("left", "right")
    assert layout.joints[layout.hips[0]] == hip
    assert [layout.joints[j] for j in layout.root] == [root]
    assert layout.joints[layout.centre] == centre
    assert {f"left_{n}" for n in ("forearm", "shank")} < set(layout.scale("part10").names)
    assert pooling(layout, Layout.load("part10")).shape == (10, len(layout.joints))


def test_parts_mean_what_they_mean_for_kinect():
    layout = layout_from_hierarchy("mine", *tree(MIXAMO))
    parts = layout.source["scales"]["part10"]["parts"]
    assert parts["torso"] == ["hips", "spine", "spine1", "spine2"]
    assert parts["head"] == ["neck", "head", "head_end"]
    assert parts["right_upper_arm"] == ["right_arm", "right_fore_arm"]
    assert parts["right_forearm"] == ["right_hand", "right_hand_index1"]
    assert parts["left_thigh"] == ["left_up_leg", "left_leg"]
    assert parts["left_shank"] == ["left_foot", "left_toe_base"]
    kinect = Layout.load("kinect20")
    for name in ("part10", "body5"):
        ours, theirs = layout.scale(name), kinect.scale(name)
        assert (ours.names, ours.parents, ours.centre) == (
            *(theirs.names, theirs.parents, theirs.centre),
        )


def test_a_reference_on_the_floor_and_a_prop_are_no_joints_of_the_body():
    names, parents = tree("Reference\n Prop\n" + "\n".join(f" {r}" for r in BIOVISION.split("\n")))
    joints = layout_from_hierarchy("mine", names, parents).joints
    assert joints == layout_from_hierarchy("mine", *tree(BIOVISION)).joints


def test_every_bone_of_the_body_is_an_edge():
    names, parents = tree(ACCLAIM)
    layout = layout_from_hierarchy("mine", names, parents)
    bones = {frozenset((names[i], names[p])) for i, p in enumerate(parents) if i != p}
    assert {frozenset((layout.joints[a], layout.joints[b])) for a, b in layout.edges} == bones


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (BIOVISION.replace("Elbow", "X"), "no joint is called left_elbow"),
        (BIOVISION.replace("Knee", "X"), "no joint is called left_knee"),
        (BIOVISION.replace("Head", "X").replace("Neck", "Y_neck_"), "head or neck"),
        ("\n".join(f"j{i}" for i in range(5)), "left_elbow"),
    ],
)
def test_a_layout_to_be_completed_is_shown_where_names_do_not_tell(wrong, told):
    names, parents = tree(wrong)
    with pytest.raises(CrosscaleError, match=told) as failure:
        layout_from_hierarchy("mine", names, parents)
    message, _, starter = str(failure.value).partition("\n\n")
    assert "--layout" in message
    source = yaml.safe_load(starter)
    assert source["joints"] == list(names)
    source |= {pair: [names[0], names[-1]] for pair in ("shoulders", "hips")}
    source["scales"]["part10"]["parts"] |= {
        part: [names[0]] for part in source["scales"]["part10"]["parts"]
    }
    layout = Layout.from_dict(source)
    assert pooling(layout, Layout.load("part10")).shape == (10, len(names))
