from app.components.class_colours import colour_of_index, colours


def test_a_class_keeps_its_colour_when_classes_are_added_after_it():
    assert colours(["a", "b"])["b"] == colours(["a", "b", "c"])["b"]


def test_eighty_classes_have_eighty_colours():
    assert len({colour_of_index(index) for index in range(80)}) == 80
