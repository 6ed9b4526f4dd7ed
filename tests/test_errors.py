from crosscale.errors import nearest


def test_a_mistyped_name_is_answered_with_the_nearest_or_with_all():
    assert nearest("wvae", ["bow", "wave"]) == "did you mean 'wave'?"
    assert nearest("optimisation.epoch", ["a.b", "optimisation.epochs"]).endswith("epochs'?")
    assert nearest("xyz", ["wave", "bow"]) == "there are bow, wave"


def test_names_too_many_for_a_line_are_counted():
    names = [f"clip{i:04d}" for i in range(2000)]
    assert nearest("xyz", names) == "there are 2,000, from 'clip0000' to 'clip1999'"
