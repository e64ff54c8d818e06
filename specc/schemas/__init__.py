"""The one definition of every JSON document that specc or a generated project writes: a pydantic model each.

`specc schema` lists them and prints each as JSON Schema. Commands build what `--json` prints from these models, and
read files with them. Projects, which have no pydantic, read with plain code; a test holds both to the same documents.

pydantic takes a while to import: whoever needs a model imports it where it is used.
"""
