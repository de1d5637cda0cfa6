"""Every error a user can meet: a stable code, a message, and a hint what to do.

CxrscanError
├── FilmError         one file cannot be scored; becomes a record, the run goes on
├── NotAFilmError     a DICOM object that is no picture; skipped and counted by code
├── BundleError       the model bundle is missing, damaged or of another make
├── RunFolderError    the output folder cannot be used
├── WorkerError       no worker process can be started, or the cluster cannot be used
├── LabelError        the ground truth cannot be read
└── TrainingError     the training data or configuration cannot be used

Codes and their hints stand here once; ``docs/messages.md`` lists the same codes (a test compares).
"""

from __future__ import annotations

#: code -> what the user can do about it.
HINTS: dict[str, str] = {
    # films
    "empty-file": "The file has no content; copy it again from its source.",
    "not-an-image": "In spite of its name the file is no film in a format that cxrscan reads; remove or rename it.",
    "input-unfit": "Give a file's name, a DICOM data set with file meta information, or an array (H, W) or (H, W, 3).",
    "unreadable": "Check that the file exists and that you may read it.",
    "truncated": "The picture ends early; copy or export it again.",
    "decode-failed": "The picture is damaged or uses a feature that no decoder here knows; export it again.",
    "too-large": "Raise --max-megapixels if the picture really is that large.",
    "no-pixels": "This DICOM object carries no picture; it can be left out.",
    "unsupported-transfer-syntax": "Convert the file to another transfer syntax, for example with dcmdjpeg.",
    "gzipped": "Unpack the file first, for example with gunzip; cxrscan reads no compressed files.",
    "bad-dicom": "The DICOM header is damaged or incomplete; send the object again from the archive.",
    "non-image-object": "Reports, plans, presentation states and the like hold no film; nothing is to be done.",
    "own-result": "A picture that cxrscan made of a result is no film; nothing is to be done.",
    "dicomdir": "A DICOMDIR only lists other files; give the folder, and the films themselves are found.",
    "no-number": "The weights of the bundle do not suit this film; check them with `cxrscan model verify`.",
    "worker-died": "Decoding this file crashes or needs too much memory; export it again, and please report it.",
    "out-of-memory": "Raise --max-memory or use fewer --workers, and run the same command again.",
    "changed": "Run the same command again once nothing writes to the folder.",
    "timed-out": "Raise --timeout if the storage is slow, and run the same command again; else export the film again.",
    "internal-error": "This is a bug in cxrscan; please report it with the message.",
    "workers-failed": "Try --workers 1; if that works, please report the message.",
    "workers-unfit": "Install one version of cxrscan everywhere; start with `dask worker --nworkers N --nthreads 1`.",
    "cluster-lost": "Check the scheduler and its workers; the same command then continues the run.",
    "cluster-invalid": "Compare the file with the examples in docs/scaling.md.",
    # results as DICOM objects
    "no-reference": "Take the film from the archive again: a result must name the film's study, series and object.",
    "no-result": "Give reports or captures that `cxrscan dicom` wrote, or reports after TID 1500 on pneumonia.",
    "nothing-to-send": "Give a folder that `cxrscan dicom` wrote; --all-objects sends what others made, too.",
    "tls-invalid": "Check the files of --tls-ca, --tls-cert and --tls-key: PEM, and the key that belongs to it.",
    "other-folder": "Choose an empty folder, a new one, or one of earlier results, with -o.",
    # services
    "not-a-service": "Give the folder that `cxrscan serve` or `cxrscan watch` writes to, with -o.",
    "port-taken": "Choose another port, or stop what listens there; `--status` tells of a service.",
    "caller-unknown": "Give --allow AET@ADDRESS for each caller; beyond this computer nobody else may send.",
    "not-sent": "Nothing is to be done: it is tried again, ever later; the page and --status tell how many wait.",
    # bundles
    "bundle-missing": "Give a folder that holds model.tflite and model.json, or a name of `cxrscan model list`.",
    "bundle-invalid": "Take an undamaged copy of the bundle, or export it again with cxrscan train.",
    "bundle-hash": "The weights differ from what model.json promises; take an undamaged copy.",
    "bundle-changed": "Wait until nothing writes to the bundle, and run the same command again.",
    "bundle-other": "It is not the bundle that was promised; do not use it, and ask whoever told you the hash.",
    "bundle-name": "Give a --name of small letters, digits, dots and dashes, 64 at most.",
    "download-failed": "Check address and network; a file that you fetched yourself can be added, too.",
    "index-invalid": "Compare the index with docs/how-to/share-models.md.",
    "no-drift-reference": "Compare with an earlier run: `cxrscan drift RUN --reference RUN`.",
    "nothing-to-compare": "Scan both with one model, and keep embeddings and thumbnails, as runs do by themselves.",
    "too-few-films": "Compare runs of 10 patients or more; 100 and more see changes that matter.",
    "unknown-operating-point": "Use one of the names that `cxrscan model info` lists, or a number from 0 to 1.",
    # run folders
    "no-images": "Give a folder that holds films in a format that cxrscan reads; -v tells what was skipped.",
    "films-elsewhere": "Name the place with --films, once you know that this computer may connect to it.",
    "place-refused": "Use s3, gs, az, https, sftp, smb or hdfs, with zip:// or tar:// in front; see docs/scaling.md.",
    "place-unreadable": "Check address, network and access rights; docs/scaling.md shows how places are written.",
    "upload-failed": "The outputs lie in the run folder; `cxrscan report RUN --upload URL` copies them again.",
    "other-run": "Choose another folder with -o, or start over in this one with --fresh.",
    "other-settings": "Choose another folder with -o, so that `cxrscan compare` has both, or start over with --fresh.",
    "group-unknown": "Give --labels FILE.csv with that column, or scan again with --group dicom for identifiers.",
    "labels-dropped": "Give --labels or --keep-labels, choose another folder with -o, or start over with --fresh.",
    "not-a-run": "Scan the films first with `cxrscan run`, then give the folder that it wrote (with journal.sqlite).",
    "disk-without-locks": "Choose a folder on a disk of this computer with -o, and copy what the run wrote.",
    "run-busy": "Wait until the other cxrscan process has finished, or choose another folder with -o.",
    "journal-unreadable": "Check that you may read the run folder and that its disk is there.",
    "journal-format": "Take an undamaged copy of the run folder, or scan again with another -o; see docs/security.md.",
    "no-embeddings": "Scan the films again without --no-embeddings, into another folder with -o.",
    "runs-differ": "Scan with one model, version and settings; `cxrscan report RUN --threshold X` aligns thresholds.",
    "runs-overlap": "Give each run once, and shards of one division only.",
    "runs-incomplete": "Run the missing parts to their end, or merge what there is with --partial.",
    "output-unwritable": "Choose a folder that you may write to with -o, and check the free space.",
    "verdict-taken": "The page now shows the other verdict; give yours once more if it is to replace it.",
    "verdicts-unreadable": "Mend verdicts.csv or move it out of the run folder; the viewer starts a new one.",
    "queue-unfit": "Give a list that `cxrscan queue` made of this very run.",
    "queue-empty": "Only scored films are listed; --again also takes those of patients of whom a film has a verdict.",
    "worklist-empty": "Give a run over films; `cxrscan run` looks into all folders below the one it is given.",
    "verdicts-none": "Read films with `cxrscan view RUN` first, or give a sheet that holds verdicts.",
    # labels
    "labels-unreadable": "Give a CSV file with columns path and label; --path-column and --label-column name others.",
    "labels-unknown": "Labels are NORMAL or PNEUMONIA, 0 or 1; --map takes other spellings.",
    "labels-conflict": "Give each film one label; remove the wrong line.",
    "labels-none": "Add --labels folders where films lie in folders NORMAL and PNEUMONIA, or --labels FILE.csv.",
    "no-gain": "Label more films, or write the bundle all the same with --force; its card then says so.",
    "labels-few": "Label more films, of both classes; `cxrscan queue` says which are worth most.",
    "labels-unmatched": "Use the names that results.csv shows, or name the right column with --path-column.",
    "runs-disjoint": "Compare two runs over the same films.",
    # training
    "data-unusable": "Give a folder with class folders NORMAL and PNEUMONIA, or train/ and test/ holding them.",
    "config-invalid": "Compare the settings with training/configs and `cxrscan train --help`.",
    "weights-invalid": "Give MobileNetV2 weights without top, a bundle's model.keras, or `none`.",
    "weights-offline": "Give --weights FILE with MobileNetV2 weights without top, or --weights none.",
    "other-bundle": "Give the bundle that the run was made with, with --model.",
    "bundle-exists": "Choose another folder with -o or another --name, or replace the bundle with --force.",
    "split-leak": "The same film lies in training and test data; remove it or pass --allow-leak.",
    "films-missing": "Name where they are now with --films, or leave out --fine-tune.",
    # settings
    "config-unknown": "`cxrscan config show COMMAND` lists what can be set; tables are called as commands.",
    "config-unreadable": "Write TOML: a table for each command, such as [run], with lines such as workers = 4.",
    "config-unnamed": "Look into the file; if you trust it, name it: cxrscan --config FILE.toml COMMAND.",
    # installation
    "extra-missing": "Install the named extra from the folder of cxrscan, for example: pip install '.[viewer]'.",
}


#: Failures that may not happen again: resuming a run tries these films once more.
PASSING = frozenset({"unreadable", "changed", "out-of-memory", "timed-out", "worker-died"})


#: Errors in what was typed, and not in what it names: exit code 2, as of wrong options.
WRONG_USAGE = frozenset({"unknown-operating-point", "config-unknown", "config-unreadable", "config-unnamed"})


class CxrscanError(Exception):
    """Base of all errors with a message for the user.

    Parameters
    ----------
    code
        Key of HINTS.
    message
        One sentence on what is wrong, with the names and numbers of the case.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def hint(self) -> str:
        """What the user can do about it."""
        return HINTS[self.code]

    def __reduce__(self) -> tuple[type[CxrscanError], tuple[str, str]]:
        """Pickle by code and message, so that errors cross process borders."""
        return type(self), (self.code, self.message)


class FilmError(CxrscanError):
    """One file cannot be scored; the worker turns this into a ``Failure``."""


class NotAFilmError(CxrscanError):
    """A sound DICOM file that is no picture by its nature; the worker turns this into a ``Skip``."""


class BundleError(CxrscanError):
    """The model bundle cannot be used."""


class RunFolderError(CxrscanError):
    """The input gave nothing to do, or the output folder cannot be used."""


class WorkerError(CxrscanError):
    """No worker process can be started, or the cluster cannot be used."""


class LabelError(CxrscanError):
    """The ground truth cannot be read."""


class TrainingError(CxrscanError):
    """The training data or configuration cannot be used."""
