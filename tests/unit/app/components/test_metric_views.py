import pandas as pd

from app.components.metric_views import confusion_figure, table_statistics


def test_statistics_are_those_of_the_platform_slide():
    statistics = table_statistics(pd.DataFrame({"name": ["a", "b", "c"], "acc": [0.0, 0.5, 1.0]}))
    assert list(statistics.index) == ["mean", "std", "min", "q25", "q50", "q75", "max"]
    assert statistics["acc"].tolist() == [0.5, 0.5, 0.0, 0.25, 0.5, 0.75, 1.0]


def test_a_table_of_words_or_of_one_row_has_no_statistics():
    assert table_statistics(pd.DataFrame({"name": ["a", "b"]})) is None
    assert table_statistics(pd.DataFrame({"acc": [0.5]})) is None


def test_confusion_rows_are_the_truth_and_colour_is_the_share_of_the_row():
    heat = confusion_figure([[3, 1], [0, 0]], ["pore", "crack"]).data[0]
    assert [list(row) for row in heat.z] == [[0.75, 0.25], [0.0, 0.0]]
    assert [list(row) for row in heat.text] == [[3, 1], [0, 0]]
    assert (heat.zmin, heat.zmax) == (0, 1)


def test_labels_that_look_like_numbers_stay_labels_and_the_first_row_is_on_top():
    figure = confusion_figure([[1, 0], [0, 1]], ["10", "2"])
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("category", "category")
    assert figure.layout.yaxis.autorange == "reversed"
    assert list(figure.data[0].x) == ["10", "2"]


def test_many_classes_show_colours_without_numbers():
    names = [f"class {i}" for i in range(30)]
    assert confusion_figure([[1] * 30 for _ in names], names).data[0].texttemplate is None
