"""Names of weights: those of the reference programs, brought to ours."""

import re

import torch


def _renamed(state, rules, ignored):
    """Apply the first rule that fits to each name; `rules` are (pattern, our name, change of the tensor or None)."""
    ours = {}
    for name, tensor in state.items():
        if re.fullmatch(ignored, name):
            continue
        for pattern, replacement, change in rules:
            match = re.fullmatch(pattern, name)
            if match:
                target = replacement(match) if callable(replacement) else match.expand(replacement)
                ours[target] = change(tensor) if change else tensor
                break
        else:
            raise KeyError(name)
    return ours


def _squeezed(tensor):
    return tensor.squeeze(0)


def _flat(tensor):
    return tensor.reshape(-1)


def _picture(tensor):
    return tensor.reshape(tensor.shape[-2:])


# --- StyleGAN2, NVlabs/stylegan2-ada-pytorch ---

_NV_PARTS = {"conv0": "up", "conv1": "conv", "torgb": "rgb", "skip": "skip"}


def nvidia_generator(state):
    def layer(rest):
        return lambda match: f"blocks.r{match[1]}.{_NV_PARTS[match[2]]}.{rest}"

    place = r"synthesis\.b(\d+)\.(conv0|conv1|torgb|skip)\."
    return _renamed(
        state,
        [
            (r"synthesis\.b4\.const", "const", None),
            (place + "weight", layer("weight"), None),
            (place + "bias", layer("bias"), None),
            (place + r"affine\.weight", layer("style.weight"), None),
            (place + r"affine\.bias", layer("style.bias"), None),
            (place + "noise_strength", layer("noise.strength"), _flat),
            (place + "noise_const", layer("noise.const"), None),
            (r"mapping\.w_avg", "mapping_network.w_mean", None),
            (r"mapping\.embed\.(\w+)", r"mapping_network.embed.\1", None),
            (r"mapping\.fc(\d+)\.(\w+)", r"mapping_network.layers.\1.\2", None),
        ],
        ignored=r".*resample_filter",
    )


def nvidia_discriminator(state):
    ours = _renamed(
        state,
        [
            (r"b(\d+)\.fromrgb\.(\w+)", r"from_rgb.r\1.\2", None),
            (r"b(\d+)\.conv0\.(\w+)", r"blocks.r\1.conv.\2", None),
            (r"b(\d+)\.conv1\.(\w+)", r"blocks.r\1.down.\2", None),
            (r"b(\d+)\.skip\.(\w+)", r"blocks.r\1.skip.\2", None),
            (r"b4\.conv\.(\w+)", r"final_conv.\1", None),
            (r"b4\.fc\.(\w+)", r"hidden.\1", None),
            (r"b4\.out\.(\w+)", r"logit.\1", None),
            (r"mapping\.embed\.(\w+)", r"label_mapping.embed.\1", None),
            (r"mapping\.fc(\d+)\.(\w+)", r"label_mapping.layers.\1.\2", None),
        ],
        ignored=r".*resample_filter",
    )
    if "label_mapping.embed.weight" in ours:
        # The network that maps labels has no mean of its own to truncate to.
        ours["label_mapping.w_mean"] = torch.zeros(len(ours["label_mapping.embed.bias"]))
    return ours


def nvidia_level(name):
    """Level of `synthesis.bR.PART.affine`; the last conversion to colours is told by its resolution."""
    resolution, part = re.fullmatch(r"synthesis\.b(\d+)\.(\w+)\.affine", name).groups()
    return int(resolution), _NV_PARTS[part]


# --- StyleGAN2, rosinality/stylegan2-pytorch ---


def _rosinality_place(kind, index):
    """Resolution and part of `conv1`, `convs.N`, `to_rgb1`, `to_rgbs.N`."""
    if kind == "conv1":
        return 4, "conv"
    if kind == "to_rgb1":
        return 4, "rgb"
    if kind == "to_rgbs":
        return 8 * 2 ** int(index), "rgb"
    return 8 * 2 ** (int(index) // 2), ("up", "conv")[int(index) % 2]


def rosinality_level(name):
    """Resolution and part of `LAYER.conv.modulation`."""
    return _rosinality_place(*re.fullmatch(r"(\w+?)(?:\.(\d+))?\.conv\.modulation", name).groups())


def rosinality_generator(state, w_mean):
    def layer(rest):
        def target(match):
            resolution, part = _rosinality_place(match[1], match[2])
            return f"blocks.r{resolution}.{part}.{rest}"

        return target

    def noise(match):
        index = int(match[1])
        resolution = 4 * 2 ** ((index + 1) // 2)
        part = "up" if index % 2 else "conv"
        return f"blocks.r{resolution}.{part}.noise.const"

    place = r"(conv1|convs|to_rgb1|to_rgbs)(?:\.(\d+))?\."
    ours = _renamed(
        state,
        [
            (r"style\.(\d+)\.(\w+)", lambda match: f"mapping_network.layers.{int(match[1]) - 1}.{match[2]}", None),
            (r"input\.input", "const", _squeezed),
            (place + r"conv\.weight", layer("weight"), _squeezed),
            (place + r"conv\.modulation\.weight", layer("style.weight"), None),
            (place + r"conv\.modulation\.bias", layer("style.bias"), None),
            (place + r"noise\.weight", layer("noise.strength"), None),
            (place + r"activate\.bias", layer("bias"), None),
            (place + "bias", layer("bias"), _flat),
            (r"noises\.noise_(\d+)", noise, _picture),
        ],
        ignored=r".*\.kernel",
    )
    return {**ours, "mapping_network.w_mean": w_mean}


def rosinality_discriminator(state, resolution):
    def block(part):
        return lambda match: f"blocks.r{resolution // 2 ** (int(match[1]) - 1)}.{part}.{match[2]}"

    return _renamed(
        state,
        [
            (r"convs\.0\.[01]\.(\w+)", rf"from_rgb.r{resolution}.\1", None),
            (r"convs\.(\d+)\.conv1\.[01]\.(\w+)", block("conv"), None),
            (r"convs\.(\d+)\.conv2\.[12]\.(\w+)", block("down"), None),
            (r"convs\.(\d+)\.skip\.1\.(\w+)", block("skip"), None),
            (r"final_conv\.[01]\.(\w+)", r"final_conv.\1", None),
            (r"final_linear\.0\.(\w+)", r"hidden.\1", None),
            (r"final_linear\.1\.(\w+)", r"logit.\1", None),
        ],
        ignored=r".*\.kernel",
    )


# --- StyleGAN1, genforce/genforce ---


def genforce_generator(state):
    def place(index):
        resolution = 4 * 2 ** (index // 2)
        return f"blocks.r{resolution}.{('const' if index == 0 else 'up') if index % 2 == 0 else 'conv'}"

    def layer(rest):
        return lambda match: f"{place(int(match[1]))}.{rest}"

    number = r"synthesis\.layer(\d+)\."
    return _renamed(
        state,
        [
            (r"mapping\.dense(\d+)\.(\w+)", r"mapping_network.layers.\1.\2", None),
            (r"truncation\.w_avg", "mapping_network.w_mean", None),
            (r"synthesis\.layer0\.const", "const", _squeezed),
            (number + "weight", layer("weight"), None),
            (number + "bias", layer("bias"), None),
            (number + r"style\.weight", layer("style.weight"), None),
            (number + r"style\.bias", layer("style.bias"), None),
            (number + r"apply_noise\.weight", layer("noise.strength"), None),
            (number + r"apply_noise\.noise", layer("noise.const"), _picture),
            (r"synthesis\.output(\d+)\.(\w+)", lambda m: f"blocks.r{4 * 2 ** int(m[1])}.rgb.{m[2]}", None),
        ],
        ignored=r".*blur\.kernel|synthesis\.lod",
    )


def genforce_discriminator(state, resolution):
    """Only the entry of the full resolution is kept; the others serve progressive growing."""
    halvings = resolution.bit_length() - 3

    def layer(match):
        index, rest = int(match[1]), match[2]
        if index >= 2 * halvings:
            return f"{('final_conv', 'hidden', 'logit')[index - 2 * halvings]}.{rest}"
        return f"blocks.r{resolution // 2 ** (index // 2)}.{('conv', 'down')[index % 2]}.{rest}"

    return _renamed(
        state,
        [(r"input0\.(\w+)", r"from_rgb.\1", None), (r"layer(\d+)\.(weight|bias)", layer, None)],
        ignored=r".*blur\.kernel|lod|input[1-9]\..*",
    )
