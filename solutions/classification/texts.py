"""What the scripts say, in English and Russian. A text is chosen by PlatformAPI.get_language(): that of the page."""

import PlatformAPI

TEXTS = {
    "samples_few": {
        "en": "a train and a val sample are needed, there is {known}",
        "ru": "нужны выборки train и val, а есть: {known}",
    },
    "nothing_marked": {
        "en": "the {role} sample has no box to look at: mark some images first",
        "ru": "в выборке {role} нет ни одной рамки: сначала разметьте несколько изображений",
    },
    "crops": {
        "en": "train: {train} crops, val: {val} crops",
        "ru": "вырезок в train: {train}, в val: {val}",
    },
    "class_rare": {
        "en": "class {name!r} has {count} crops in the training sample: too few to learn from",
        "ru": "вырезок класса «{name}» в обучающей выборке: {count} — слишком мало, чтобы его выучить",
    },
    "epoch_done": {
        "en": "epoch {epoch} of {epochs}: val loss {loss:.3f}, val accuracy {accuracy:.3f}",
        "ru": "эпоха {epoch} из {epochs}: на валидации потери {loss:.3f}, доля верных ответов {accuracy:.3f}",
    },
    "weights_saved": {"en": "weights saved: {files}", "ru": "веса сохранены: {files}"},
    "weights_missing": {
        "en": "no weights: choose a finished training run, or put a .pth file into weights/ beside test.py",
        "ru": "нет весов: выберите завершённое обучение или положите файл .pth в папку weights/ рядом с test.py",
    },
    "classes_differ": {
        "en": "the weights know {known} classes, the sample has {given}: {names}",
        "ru": "веса знают классов: {known}, а в выборке их {given}: {names}",
    },
    "sample_read": {
        "en": "{role}: {crops} crops of {images} images, weights {weights}",
        "ru": "{role}: вырезок {crops} из {images} изображений, веса {weights}",
    },
    "test_done": {
        "en": "accuracy {accuracy:.3f}, mean recall {recall:.3f} over {classes} classes",
        "ru": "доля верных ответов {accuracy:.3f}, средняя полнота {recall:.3f}, классов в выборке: {classes}",
    },
}


def text(code: str, **values: object) -> str:
    """The text `code` with its values filled in."""
    return TEXTS[code][PlatformAPI.get_language()].format(**values)
