"""Names of joints as software writes them."""

import pytest

from crosscale.skeleton.joint_names import find_joints, plain_name, plain_names


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("mixamorig:LeftForeArm", "left_fore_arm"),
        ("ShoulderLeft", "left_shoulder"),
        ("shoulder.L", "left_shoulder"),
        ("L_Shoulder", "left_shoulder"),
        ("upperarm_r", "right_upperarm"),
        ("lhumerus", "left_humerus"),
        ("rShldr", "right_shldr"),
        ("LHipJoint", "left_hip_joint"),
        ("SHOULDER_RIGHT", "right_shoulder"),
        ("leftarm", "left_arm"),
        ("HandTipRight", "right_hand_tip"),
        ("HipCenter", "hip_centre"),
        ("Spine1", "spine1"),
        ("spine.001", "spine001"),
        ("LeftHandIndex1", "left_hand_index1"),
        ("LowerBack", "lower_back"),
        ("leg", "leg"),
        ("Ribs", "ribs"),
        ("腰", "腰"),
    ],
)
def test_every_way_to_write_a_name_becomes_one(raw, plain):
    assert plain_name(raw) == plain


def test_what_all_names_begin_with_is_left_out():
    names = plain_names(["Bip01", "Bip01 Pelvis", "Bip01 L Thigh", "Bip01 R Thigh"])
    assert names == ("bip01", "pelvis", "left_thigh", "right_thigh")


def test_a_joint_without_a_mirror_image_is_of_no_side():
    assert plain_names(["Hips", "LeftSword", "LeftLeg", "RightLeg"]) == (
        *("hips", "leftsword", "left_leg", "right_leg"),
    )


def test_names_stay_different():
    assert plain_names(["a", "Arm", "arm", "ARM"]) == ("a", "arm", "arm__2", "arm__3")


def test_joints_are_found_whatever_the_case_and_the_way_to_write_the_side():
    given = ["Ann:RSHO", "Ann:LSHO", "*1", "LeftForeArm", "Spine 1"]
    wanted = ["left_sho", "right_sho", "left_fore_arm", "spine1", "c7"]
    assert find_joints(wanted, given) == [1, 0, 3, 4, None]
