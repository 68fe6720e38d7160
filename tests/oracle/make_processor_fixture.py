"""Conversations as a family's processor and model take them: tokens, M-RoPE positions, answer positions. Made with
transformers 5.23.0, tokenizers 0.23.3, torch 2.13.0 and Pillow 13.0.0 on the tokenizer of tests/data/qwen2, or its variant with the
added tokens of LLaVA-OneVision for that family.

    python tests/oracle/make_processor_fixture.py TOKENIZER_DIR FAMILY...

writes tests/data/FAMILY/conversations.json; of qwen2_vl, tests/data/processor/conversations.json.
"""
import json
import pathlib
import sys

import torch
import transformers
from PIL import Image, ImageOps
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
DEFAULT_SYSTEM = "{% if loop.first and m.role != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
TEMPLATE = (
    "<|im_start|>{{ m.role }}\n"
    "{% for c in m.content %}"
    "{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
LLAVA_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% for c in m.content if c.type == 'image' %}<image>\n{% endfor %}"
    "{% for c in m.content if c.type == 'text' %}{{ c.text }}{% endfor %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
QWEN2 = dict(patch_size=14, min_pixels=3136, max_pixels=12845056)
QWEN3 = dict(patch_size=16, size=dict(shortest_edge=65536, longest_edge=16777216), image_mean=[0.5] * 3, image_std=[0.5] * 3)
FAMILIES = {  # the classes' common prefix, whether a conversation without a system turn gets one, LARGE
    "qwen2_vl": ("Qwen2VL", True, QWEN2),
    "qwen2_5_vl": ("Qwen2_5_VL", True, QWEN2),
    "qwen3_vl": ("Qwen3VL", False, QWEN3),
}
LARGE = "the settings of the hub's files"
SMALL = dict(patch_size=8, min_pixels=8192, max_pixels=65536)


def text(value):
    return {"type": "text", "text": value}


def picture(name):
    return {"type": "image", "image": name}


def user(*content):
    return {"role": "user", "content": [text(c) if isinstance(c, str) else c for c in content]}


def assistant(*content):
    return user(*content) | {"role": "assistant"}


def system(*content):
    return user(*content) | {"role": "system"}


CASES = {
    "text alone": (LARGE, [user("What is 12345?"), assistant("A number.")]),
    "a system turn": (LARGE, [system("Answer in one word."), user("Is water wet?"), assistant("yes")]),
    "a picture in front": (LARGE, [user(picture("rgb_8.png"), "What is this?"), assistant("Noise")]),
    "a turned picture in the middle": (SMALL, [user("Look at ", picture("orientation_6.jpg"), " and say what it is."),
                                               assistant("A gradient.")]),
    "several pictures and turns": (SMALL, [
        system("Be brief."), user(picture("lossy.webp"), picture("rgb_440.jpg"), "Compare."), assistant("They differ."),
        user("And this one? ", picture("one_pixel.jpg")), assistant("One pixel.\nNothing else."), user("Thanks!"),
        assistant("You are welcome.")]),
    "an open question": (LARGE, [user("Hello"), assistant("Hi"), user("Who are you?")]),
    "texts in pieces": (LARGE, [user("Hel", "lo wor", "ld ", "3", "4"), assistant("Good", "bye")]),
    "answers that begin and end with space": (LARGE, [user("\n  q \n"), assistant("\n\nanswer  \n"), user(" "),
                                                       assistant("  indented"), user("x"), assistant("\n")]),
    "an empty answer": (LARGE, [user("q"), assistant(""), user("again"), assistant("now")]),
    "texts that normalise": (LARGE, [user("cafe\u0301 \u1e9b\u0323"), assistant("\u0301e\u0301 \ud55c\u1100\u1161 \U0001f642\u4e16\u754c")]),
    "special tokens in texts": (LARGE, [user("a<|im_end|>\n<|im_start|>assistant\nno label<|vision_start|>"),
                                        assistant("one<|im_end|>two<|endoftext|><|im"), user("<|im_end|"),
                                        assistant("<|object_ref_start|>")]),
}
PLAIN = {
    "special tokens as plain text": (LARGE, [user("a<|im_end|>\n<|im_start|>assistant\nno label <|image_pad|>",
                                                  picture("gray_8.png"), "<|video_pad|>"),
                                             assistant("<|im_end|>two<|endoftext|>")]),
}


def open_picture(name):
    return ImageOps.exif_transpose(Image.open(DATA / "images" / name)).convert("RGB")


class Oracle:
    PICTURE = "<|image_pad|>"

    def __init__(self, family, tokenizer_dir, plain):
        prefix, self.has_default_system, self.settings = FAMILIES[family]
        self.tokenizer = transformers.Qwen2TokenizerFast.from_pretrained(tokenizer_dir)
        self.template = "{% for m in messages %}" + (DEFAULT_SYSTEM if self.has_default_system else "") + TEMPLATE
        self.plain = plain

        class StillProcessor(getattr(transformers, prefix + "Processor")):
            """Without a video processor, which would need torchvision."""

            def check_argument_for_proper_class(self, *unused):
                pass

        self.make_processor = StillProcessor
        config = getattr(transformers, prefix + "Config")(
            text_config=dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1,
                             vocab_size=8), vision_config=dict(depth=1, num_heads=1, hidden_size=8))
        with torch.device("meta"):
            self.model = getattr(transformers, prefix + "Model")(config)

    def render(self, processor, turns, prompt=False):
        return processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=prompt)

    def positions(self, ids, types, grids):
        grids = torch.tensor(grids) if grids else None
        found, delta = self.model.get_rope_index(torch.tensor([ids]), torch.tensor([types]), grids)
        return found[:, 0].tolist(), int(delta[0, 0]) + len(ids)

    def plain_ids(self, rendered, turns):
        """Template tokens as control tokens, the turns' texts cut into ordinary ones."""
        backend = self.tokenizer.backend_tokenizer
        pieces = []
        if self.has_default_system:
            pieces += [("<|im_start|>", True), ("system\nYou are a helpful assistant.", False), ("<|im_end|>", True), ("\n", False)]
        for turn in turns:
            pieces += [("<|im_start|>", True), (turn["role"] + "\n", False)]
            for c in turn["content"]:
                if c["type"] == "image":
                    pieces += [("<|vision_start|>", True), ("<|image_pad|>", True), ("<|vision_end|>", True), ("", False)]
                else:
                    pieces[-1] = (pieces[-1][0] + c["text"], False)
            pieces += [("<|im_end|>", True), ("\n", False)]
        assert "".join(p for p, _ in pieces) == rendered
        ids = []
        for piece, control in pieces:
            backend.encode_special_tokens = not control
            ids += backend.encode(piece, add_special_tokens=False).ids
        backend.encode_special_tokens = False
        return ids

    def encode(self, options, turns):
        processor = self.make_processor(Qwen2VLImageProcessorPil(**options), self.tokenizer, chat_template=self.template)
        names = [c["image"] for turn in turns for c in turn["content"] if c["type"] == "image"]
        rendered = self.render(processor, turns)
        images = [open_picture(name) for name in names]
        grids = processor.image_processor(images, return_tensors="pt")["image_grid_thw"].tolist() if images else []
        result = {"grids": grids}
        image_id = self.tokenizer.convert_tokens_to_ids("<|image_pad|>")
        if self.plain:
            ids = []
            for token in self.plain_ids(rendered, turns):
                ids += [token] * (grids[0][1] * grids[0][2] // 4) if token == image_id else [token]
            types = [int(i == image_id) for i in ids]
            header = len(self.tokenizer("assistant\n")["input_ids"]) + 1
            begin = max(i for i, token in enumerate(ids) if token == self.tokenizer.convert_tokens_to_ids("<|im_start|>"))
            answer = [i - 1 for i in range(begin + header, len(ids) - 1)]
        else:
            features = processor(text=[rendered], images=images or None, return_mm_token_type_ids=True)
            ids, types = list(features["input_ids"][0]), list(features["mm_token_type_ids"][0])
            answer = self.answer_positions(processor, turns, grids, ids)
            last_user = max(i for i, turn in enumerate(turns) if turn["role"] == "user")
            prompt_turns = turns[:last_user + 1]
            prompt = self.render(processor, prompt_turns, prompt=True)
            count = sum(c["type"] == "image" for turn in prompt_turns for c in turn["content"])
            result["prompt"] = list(processor(text=[prompt], images=images[:count] or None)["input_ids"][0])
        positions, following = self.positions(ids, types, grids)
        if positions[0] == positions[1] == positions[2] == list(range(len(ids))):
            positions = "counting"
        return result | {"tokens": ids, "positions": positions, "next": following, "answer_positions": answer,
                         "labels": [ids[i + 1] for i in answer]}

    def picture_texts(self, grids):
        return [self.PICTURE * (t * h * w // 4) for t, h, w in grids]

    def answer_positions(self, processor, turns, grids, ids):
        """By offsets of characters: from behind the header of each assistant turn to behind its <|im_end|>."""
        def expanded(rendered):
            parts = rendered.split(self.PICTURE)
            runs = self.picture_texts(grids)
            return "".join(part + run for part, run in zip(parts[:-1], runs)) + parts[-1]

        whole = expanded(self.render(processor, turns))
        spans, prefix = [], 0
        for i, turn in enumerate(turns):
            end = len(expanded(self.render(processor, turns[:i + 1])))
            if turn["role"] == "assistant":
                begin = prefix + len("<|im_start|>assistant\n")
                assert whole[prefix:begin] == "<|im_start|>assistant\n" and whole[end - 11:end] == "<|im_end|>\n"
                spans.append((begin, end - 1))
            prefix = end
        encoded = self.tokenizer(whole, return_offsets_mapping=True)
        assert list(encoded["input_ids"]) == ids
        return [i - 1 for i, (start, stop) in enumerate(encoded["offset_mapping"])
                if any(begin <= start and stop <= end for begin, end in spans)]


class LlavaOracle(Oracle):
    """Pictures in front of a turn's texts, plain positions, and a picture that is not alone as one view."""

    PICTURE = "<image>"

    def __init__(self, tokenizer_dir, plain):
        self.settings = dict(size=dict(height=384, width=384), image_mean=[0.5] * 3, image_std=[0.5] * 3)
        self.tokenizer = transformers.Qwen2TokenizerFast.from_pretrained(tokenizer_dir)
        self.template = LLAVA_TEMPLATE
        self.plain = plain

        class StillProcessor(transformers.LlavaOnevisionProcessor):
            """Without a video processor, which would need torchvision."""

            def check_argument_for_proper_class(self, *unused):
                pass

        self.make_processor = StillProcessor

    def encode(self, options, turns):
        side = options["size"]["height"]
        processor = self.make_processor(
            LlavaOnevisionImageProcessorPil(**options), self.tokenizer, chat_template=self.template,
            num_image_tokens=(side // 14)**2, vision_feature_select_strategy="full")
        images = [open_picture(c["image"]) for turn in turns for c in turn["content"] if c["type"] == "image"]
        ids = self.ids(processor, self.render(processor, turns), images)
        image_id = self.tokenizer.convert_tokens_to_ids("<image>")
        starts = [i for i, token in enumerate(ids) if token == image_id and ids[i - 1] != image_id]
        runs = [next(n for n in range(len(ids)) if ids[i + n] != image_id) for i in starts]
        last_user = max(i for i, turn in enumerate(turns) if turn["role"] == "user")
        prompt_turns = turns[:last_user + 1]
        count = sum(c["type"] == "image" for turn in prompt_turns for c in turn["content"])
        prompt = self.ids(processor, self.render(processor, prompt_turns, prompt=True), images[:count])
        answer = self.answer_positions(processor, turns, runs, ids)
        return {"rows": runs, "prompt": prompt, "tokens": ids, "positions": "counting", "next": len(ids), "answer_positions": answer,
                "labels": [ids[i + 1] for i in answer]}

    def ids(self, processor, text, images):
        return list(processor(text=[text], images=[images] if images else None)["input_ids"][0])

    def picture_texts(self, runs):
        return ["<image>" * run for run in runs]


def main(tokenizer_dir, family):
    lines = []
    is_llava = family == "llava_onevision"
    for plain, cases in ((False, CASES), (True, {} if is_llava else PLAIN)):
        oracle = LlavaOracle(tokenizer_dir, plain) if is_llava else Oracle(family, tokenizer_dir, plain)
        for name, (options, turns) in cases.items():
            options = oracle.settings if options == LARGE or is_llava else options
            case = {"name": name, "plain": plain, "image_processor": options, "turns": turns}
            lines.append(json.dumps(case | oracle.encode(options, turns), separators=(",", ":")))
    folder = DATA / ("processor" if family == "qwen2_vl" else family)
    (folder / "conversations.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for chosen in sys.argv[2:]:
        main(sys.argv[1], chosen)
