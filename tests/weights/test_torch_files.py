"""Both of PyTorch's formats, by hand and by PyTorch itself, and what is refused."""

import collections

import numpy as np
import pytest
import torch_bytes
from torch_bytes import Call, Global, Stored

from jaxpose.weights import torch_files

ARRAYS = {
    "0": np.arange(6, dtype=np.float32).reshape(2, 3),
    "1": np.array([7, -8], np.int64),
}
FORMATS = {"zip": torch_bytes.zipped, "legacy": torch_bytes.legacy}
each_format = pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)


@pytest.fixture
def read(tmp_path):
    """What `torch_files.read` makes of a file of these bytes."""

    def read(content):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return torch_files.read(path)

    return read


@each_format
@pytest.mark.parametrize("rebuild", ["_rebuild_tensor", "_rebuild_tensor_v2"])
def test_tensors_in_containers(read, write, rebuild):
    weight = torch_bytes.tensor("0", ARRAYS["0"], rebuild=rebuild)
    steps = torch_bytes.tensor("1", ARRAYS["1"], rebuild=rebuild)
    content = {"state_dict": collections.OrderedDict(w=weight), "steps": [steps, 3.5]}
    found = read(write(content, ARRAYS))
    assert list(found) == ["state_dict", "steps"]
    np.testing.assert_array_equal(found["state_dict"]["w"], ARRAYS["0"])
    np.testing.assert_array_equal(found["steps"][0], ARRAYS["1"])
    assert found["state_dict"]["w"].dtype == np.float32
    assert found["steps"][1] == 3.5


@each_format
def test_views_of_one_storage(read, write):
    def view(offset, size, stride):
        rebuild = Global("torch._utils", "_rebuild_tensor_v2")
        storage = Stored("0", ARRAYS["0"])
        return Call(rebuild, storage, offset, size, stride, False, {})

    content = [view(0, (3, 2), (1, 3)), view(5, (), ()), view(6, (0, 3), (3, 1))]
    transposed, last, empty = read(write(content, {"0": ARRAYS["0"]}))
    np.testing.assert_array_equal(transposed, ARRAYS["0"].T)
    assert last.shape == () and last == 5
    assert empty.shape == (0, 3)


@each_format
@pytest.mark.parametrize(
    "offset, size, stride",
    [(0, (7,), (1,)), (-1, (2,), (1,)), (5, (2,), (-1,)), (0, (2, 2), (5, 1))],
)
def test_a_tensor_that_leaves_its_storage_is_refused(read, write, offset, size, stride):
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    content = Call(rebuild, Stored("0", ARRAYS["0"]), offset, size, stride, False, {})
    with pytest.raises(ValueError, match="leaves its storage of 6"):
        read(write(content, {"0": ARRAYS["0"]}))


@each_format
@pytest.mark.parametrize(
    "module, name", [("os", "system"), ("builtins", "eval"), ("torch.nn", "Linear")]
)
def test_anything_but_tensors_is_refused_and_not_run(read, write, module, name):
    content = {"w": Call(Global(module, name), "exit 1")}
    with pytest.raises(ValueError, match=rf"holds a {module}.{name}, and only tensors"):
        read(write(content, {}))


@each_format
def test_a_file_cut_short_is_refused(read, write):
    whole = write({"w": torch_bytes.tensor("0", ARRAYS["0"])}, {"0": ARRAYS["0"]})
    for length in (len(whole) - 1, len(whole) // 2, 30):
        with pytest.raises(ValueError, match="weights.pth cannot be read"):
            read(whole[:length])


def test_storages_of_another_length_are_refused(read):
    tensor = torch_bytes.tensor("0", ARRAYS["0"])
    for write in FORMATS.values():
        with pytest.raises(ValueError, match="storage 0 has 3 numbers instead of 6"):
            read(write(tensor, {"0": ARRAYS["0"][0]}))


def test_a_storage_larger_than_the_file_is_refused_before_it_is_made(read):
    huge = np.broadcast_to(np.float32(0), (10**9,))
    with pytest.raises(ValueError, match="exceeds the file"):
        read(torch_bytes.legacy(torch_bytes.tensor("0", huge), {}))


def test_big_endian_files_are_refused(read):
    with pytest.raises(ValueError, match="big-endian"):
        read(torch_bytes.zipped({}, {}, order=b"big"))
    with pytest.raises(ValueError, match="big-endian"):
        read(torch_bytes.legacy({}, {}, little_endian=False))


def test_other_files_are_refused(read):
    with pytest.raises(ValueError, match="neither a zip archive nor"):
        read(b"\x93NUMPY and so on")
    with pytest.raises(ValueError, match="neither a zip archive nor"):
        read(b"")
    with pytest.raises(FileNotFoundError):
        torch_files.read("nowhere.pth")


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
def test_what_pytorch_itself_writes(tmp_path, zip_format):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    shared = torch.arange(12.0).reshape(3, 4)
    content = {
        "state_dict": layers.state_dict(),
        "views": (shared, shared.T, shared[1:, 2]),
        "kinds": [shared.to(kind) for kind in (torch.half, torch.double, torch.int32)],
        "flags": shared > 5,
        "parameter": layers[0].bias,
        "epoch": 3.5,
        "size": shared.shape,
    }
    path = tmp_path / "torch.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zip_format)
    found = torch_files.read(path)
    assert list(found) == list(content)
    assert list(found["state_dict"]) == list(content["state_dict"])
    for name, value in content["state_dict"].items():
        np.testing.assert_array_equal(found["state_dict"][name], value.numpy())
    for name in ("views", "kinds"):
        for ours, theirs in zip(found[name], content[name], strict=True):
            np.testing.assert_array_equal(ours, theirs.numpy(), strict=True)
    np.testing.assert_array_equal(found["flags"], content["flags"].numpy())
    np.testing.assert_array_equal(
        found["parameter"], content["parameter"].detach().numpy()
    )
    assert found["epoch"] == 3.5 and found["size"] == (3, 4)
