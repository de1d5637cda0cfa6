#!/bin/sh
# A processing module of mercure: films come in MERCURE_IN_DIR, reports and captures go to MERCURE_OUT_DIR.
# Exit code 3 (some files are no films, or failed) is no failure of the module.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cxrscan run "$MERCURE_IN_DIR" -o "$work/run" --quiet || [ $? -eq 3 ]
cxrscan dicom "$work/run" -o "$work/results" --quiet || [ $? -eq 3 ]
find "$work/results" -name '*.dcm' -exec cp {} "$MERCURE_OUT_DIR" \;
