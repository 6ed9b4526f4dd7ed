"""All that reading an upload needs, loaded: processes that read are forked from one that has it.

Loading it takes ten times as long as reading a clip does.
"""

from contextlib import suppress
from importlib import import_module

import pyarrow as pa

from crosscale.readers import known_readers
from crosscale.skeleton.layout import Layout, builtin_layouts

# Recognising a format asks every reader.
for _module in (
    "crosscale.serve.reading",
    *(path.partition(":")[0] for path in known_readers().values()),
):
    import_module(_module)
for _module in ("c3d", "h5py", "crosscale.readers.datasets.skeleton_scan"):
    with suppress(ImportError):  # optional libraries
        import_module(_module)
for _name in builtin_layouts():
    Layout.load(_name)
pa.table({"clip": [0]})  # the first one loads pandas, where that is installed
