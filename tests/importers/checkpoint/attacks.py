"""Files that would hang, crash, fill the memory or run something: each must be refused in short time."""

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile

import torch

MILLION = 1_000_000
CALL = b"R"
COUNTER = b"ccollections\nOrderedDict\n"
NAMESPACE = b"cargparse\nNamespace\n"


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value):
    return b"\x8a" + bytes([16]) + value.to_bytes(16, "little", signed=True)


def nested_pairs(times=60):
    """A tuple of two references to a tuple of two references to ..."""
    return b")q\x00" + b"h\x00\x86q\x00" * times


def shared_lists(times=60):
    return b"]q\x00" + b"0]h\x00ah\x00aq\x00" * times


def deep(opening, closing, depth=200_000):
    return opening * depth + closing * depth


BIG = text("x" * MILLION) + b"q\x00"
STORAGE = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x01tQ"
MANY = b"(" + b"K\x01" * 300_000 + b"lq\x00"

OLD = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)

PICKLES = {
    "a tuple of shared tuples as a key": b"}" + nested_pairs() + b"Ns.",
    "a tuple of shared tuples as a key of many": b"}(" + nested_pairs() + b"Nu.",
    "a tuple of shared tuples in a set": b"\x8f(" + nested_pairs() + b"\x90.",
    "a tuple of shared tuples in a frozenset": b"(" + nested_pairs() + b"\x91.",
    "a tuple of shared tuples in a called set": b"cbuiltins\nset\n(]" + nested_pairs() + b"atR.",
    "a tuple of shared tuples in a called dict": COUNTER + b"(](" + nested_pairs() + b"NlatR.",
    "a deep tuple": b")" + b"\x85" * MILLION + b".",
    "a deep tuple as a key": b"})" + b"\x85" * 300_000 + b"Ns.",
    "a deep tuple in a set": b"\x8f()" + b"\x85" * 300_000 + b"\x90.",
    "a deep list": deep(b"]", b"a")[:-1] + b".",
    "a list that holds itself": b"]q\x00h\x00a.",
    "shared lists": shared_lists() + b".",
    "shared lists as a state_dict": b"}" + text("state_dict") + shared_lists() + b"s.",
    "shared lists as settings": b"}(" + text("state_dict") + b"}" + text("hyper_parameters") + shared_lists()
    + b"u.",
    "shared lists as an identity": shared_lists() + b"Q.",
    "shared lists as a numpy type": b"cnumpy\ndtype\n" + shared_lists() + b"\x85R.",
    "shared texts": BIG + b"0(" + b"h\x00" * 100_000 + b"l.",
    "keys of one hash": b"}(" + b"".join(number(k * (2**61 - 1)) + b"N" for k in range(40_000)) + b"u.",
    "tuples as keys without end": b"}("
    + b"".join(b"M" + struct.pack("<H", k) + b"\x85N" for k in range(60_000)) + b"u.",
    "complex keys": b"}(" + b"cbuiltins\ncomplex\nq\x01G" + b"\0" * 8 + b"\x85RN" + b"u.",
    "a number of a million digits": b"L" + b"9" * MILLION + b"L\n.",
    "a number of a million bytes": b"\x8b" + struct.pack("<i", MILLION) + b"\x7f" * MILLION + b".",
    "a million empty sets": b"(" + b"\x8f" * MILLION + b"l.",
    "a million stand-ins": NAMESPACE + b"q\x000(" + b"h\x00)\x81" * MILLION + b"l.",
    "a million marks": b"(" * MILLION + b".",
    "a place of the memo far away": b"Nr\xff\xff\xff\x7f.",
    "a block longer than the file": b"\x8e" + struct.pack("<Q", 1 << 60) + b"x.",
    "a frame longer than the file": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"x.",
    "bytes copied again and again": BIG + b"0c_codecs\nencode\nq\x01(" + b"h\x01h\x00\x85R" * 100_000 + b"l.",
    "lists copied again and again": MANY + b"0cbuiltins\nlist\nq\x01(" + b"h\x01h\x00\x85R" * 100_000 + b"l.",
    "arguments copied again and again": b"(" + b"N" * 300_000 + b"tq\x000" + NAMESPACE + b"q\x010("
    + b"h\x01h\x00\x81" * 50_000 + b"l.",
    "a state copied again and again": b"}(" + b"".join(text(str(k)) + b"N" for k in range(50_000))
    + b"uq\x000" + NAMESPACE + b"q\x010(" + b"h\x01)\x81h\x00b" * 50_000 + b"l.",
    "a key put into words again and again": b"}" + BIG.replace(b"X", b"B") + b"Nsq\x000"
    + NAMESPACE + b"q\x010(" + b"h\x01)\x81h\x00b" * 50_000 + b"l.",
    "a long path": BIG.replace(b"xx", b"x/") + b"0cpathlib\nPosixPath\nq\x010("
    + b"h\x01h\x00\x85R0" * 100_000 + b"l.",
    "an array of no end": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"
    + b"(K\x01(K\x00" + number(2**62) + b"tcnumpy\ndtype\n" + text("f4") + b"\x85RI00\nC\x00tb.",
    "an array of huge axes": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"
    + b"(K\x01(\x8b" + struct.pack("<i", MILLION // 2) + b"\x7f" * (MILLION // 2) + b"q\x05" + b"h\x05" * 300
    + b"tcnumpy\ndtype\n" + text("f4") + b"\x85RI00\nC\x00tb.",
    "a name of a million letters": b"c" + b"m" * MILLION + b"\nname\n.",
    "lines without an end": b"(" + b"I" + b"1" * MILLION,
    "storages of shared lists": OLD + b"}." + b"N.]" + shared_lists() + b"a.",
    "a million steps in parts": pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    + b"".join(b"(" + b"N" * 300_000 + b"1" + part for part in (pickle.dumps(1001, 2), b"N.", b"N.", b"].")),
    "a key of a million letters": b"}" + BIG + b"Ns.",
    "nothing": b".",
    "no pickle": os.urandom(64),
}  # fmt: skip


class Calls:
    """Pickles as a shell command."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


MBAS = (
    b"cmbas.tasks.predict\nParameters1Stage\n)\x81}("
    + text("checkpoint") + b"}(" + text("network_weights") + b"}"
    + text("init_args") + b"}" + text("fold") + shared_lists() + b"su"
    + text("plans") + b"}" + text("dataset") + b"}ub."
)  # fmt: skip
ZIPPED = {
    "a tuple of shared tuples as a key": PICKLES["a tuple of shared tuples as a key"],
    "a tensor of many axes": MANY + b"0" + STORAGE + b"q\x020ctorch._utils\n_rebuild_tensor_v2\nq\x010("
    + b"h\x01(h\x02K\x00h\x00h\x00tR" * 50_000 + b"l.",
    "a tensor of huge axes": b"\x8b" + struct.pack("<i", MILLION) + b"\x7f" * MILLION + b"q\x000"
    + STORAGE + b"q\x020ctorch._utils\n_rebuild_tensor_v2\n(h\x02K\x00(h\x00h\x00h\x00h\x00tq\x03h\x03tR.",
    "a million views": STORAGE + b"q\x020ctorch._utils\n_rebuild_tensor_v2\nq\x010"
    + b"(h\x02K\x00K\x01\x85q\x03h\x03tq\x040(" + b"h\x01h\x04R" * MILLION + b"l.",
}  # fmt: skip


def write_zip(file, name, data, **options):
    with zipfile.ZipFile(file, "w", **options) as archive:
        archive.writestr(name, data)


def write_zip_that_declares_more(file):
    """A member that declares 60 GB."""
    write_zip(file, "fold_0/model_final_checkpoint.model", b"\0" * 100, compression=zipfile.ZIP_DEFLATED)
    data = bytearray(file.read_bytes())
    central = data.index(b"PK\1\2")
    data[central + 24 : central + 28] = struct.pack("<I", 0xFFFFFF00)
    file.write_bytes(data)


def write_tar(file, members):
    with tarfile.open(file, "w:gz") as archive:
        for info, size in members:
            info.size = size
            archive.addfile(info, io.BytesIO(b"\0" * size))


def write_gzip(file, header, zeros):
    """One header, and as many zeros as it declares or more."""
    with gzip.open(file, "wb", compresslevel=9) as packed:
        packed.write(header)
        for _ in range(zeros >> 20):
            packed.write(b"\0" * (1 << 20))


def header(kind, size):
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def sparse_headers(count):
    """A sparse file whose list goes on and on."""
    first = bytearray(header(tarfile.GNUTYPE_SPARSE, 0))
    first[482] = 1
    first[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(first))[0]
    return bytes(first) + (b"\0" * 504 + b"\1" + b"\0" * 7) * count


ARCHIVES = {
    "headers.tar.gz": lambda file: write_gzip(file, header(tarfile.XHDTYPE, 1 << 29), 1 << 29),
    "names.tar.gz": lambda file: write_gzip(file, header(tarfile.GNUTYPE_LONGNAME, 1 << 29), 1 << 29),
    "sparse.tar.gz": lambda file: write_gzip(file, sparse_headers(MILLION), 0),
    "large.tar.gz": lambda file: write_gzip(file, header(tarfile.REGTYPE, 1 << 30), 1 << 29),
    "folders.tar.gz": lambda file: write_gzip(file, header(tarfile.DIRTYPE, 0) * 300_000, 0),
    "large.zip": lambda file: write_zip(file, "a", b"\0" * (1 << 28), compression=zipfile.ZIP_DEFLATED),
    "declares.zip": write_zip_that_declares_more,
    "lzma.zip": lambda file: write_zip(file, "a", b"\0" * MILLION, compression=zipfile.ZIP_LZMA),
}


def write_nnunet(folder, name, content):
    """A model folder of nnU-Net with one hostile file."""
    (folder / "fold_0").mkdir(parents=True)
    torch.save({"network_weights": {}, "init_args": {}}, folder / "fold_0" / "checkpoint_final.pth")
    for own in ("plans.json", "dataset.json"):
        (folder / own).write_text("{}")
    (folder / name).write_text(content)
    return folder


def write_bundle(folder, name, content):
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    for own in ("inference.json", "metadata.json"):
        (folder / "configs" / own).write_text("{}")
        if own.startswith(name.partition(".")[0]):
            (folder / "configs" / own).unlink()
    (folder / "configs" / name).write_text(content)
    return folder


ALIASES = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40))
REFERENCES = {"network_def": "@a30", "a0": "x", **{f"a{n}": [f"@a{n - 1}"] * 2 for n in range(1, 31)}}
TEXTS = {
    "deep plans": lambda folder: ("nnunet", write_nnunet(folder, "plans.json", "[" * 100_000)),
    "deep labels": lambda folder: (
        "nnunet", write_nnunet(folder, "dataset.json", '{"labels": ' + "[" * 100_000 + "]" * 100_000 + "}")
    ),
    "a long number": lambda folder: ("nnunet", write_nnunet(folder, "plans.json", "1" * MILLION)),
    "a deep bundle": lambda folder: ("monai-bundle", write_bundle(folder, "inference.json", "[" * 100_000)),
    "a deep bundle in YAML": lambda folder: (
        "monai-bundle", write_bundle(folder, "inference.yaml", "[" * 100_000)
    ),
    "aliases": lambda folder: (
        "monai-bundle", write_bundle(folder, "inference.yaml", ALIASES + "network_def: *a59\n")
    ),
    "merges": lambda folder: ("monai-bundle", write_bundle(folder, "inference.yaml", MERGES)),
    "references": lambda folder: (
        "monai-bundle", write_bundle(folder, "inference.json", json.dumps(REFERENCES))
    ),
}  # fmt: skip


def write_all(folder, marker):
    """Write every attack into a folder; gives the kind of import and the source of each by its name."""
    sources = {}
    for index, (name, data) in enumerate(PICKLES.items()):
        file = folder / f"{index}.ckpt"
        file.write_bytes(data)
        sources[name] = "lightning", file
    file = folder / "mbas.pth"
    file.write_bytes(MBAS)
    sources["shared lists as MBAS's fold"] = "mbas", file
    for layout in (True, False):
        file = folder / f"command{layout}.ckpt"
        torch.save({"state_dict": Calls(marker)}, file, _use_new_zipfile_serialization=layout)
        sources[f"a command, {layout}"] = "lightning", file
    for index, (name, data) in enumerate(ZIPPED.items()):
        file = folder / f"zip{index}.ckpt"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a/data.pkl", data)
            archive.writestr("a/data/0", b"\0" * 4)
        sources[f"{name}, in torch's zip"] = "lightning", file
    for name, write in ARCHIVES.items():
        write(folder / name)
        sources[name] = "mednext", folder / name
    for index, (name, write) in enumerate(TEXTS.items()):
        sources[name] = write(folder / f"text{index}")
    return sources
