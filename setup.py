"""Packaging of gr_tf."""

import pathlib

import setuptools

# Read, not imported: gr_tf's dependencies are not installed yet.
version = pathlib.Path(__file__).with_name("gr_tf") / "version.py"

setuptools.setup(
    name="gr_tf",
    version=version.read_text(encoding="utf-8").split('"')[-2],
    description="Which training examples made an embedding model predict this, and is that true?",
    long_description=pathlib.Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.10",
    packages=setuptools.find_packages(include=["gr_tf", "gr_tf.*"]),
    package_data={
        "gr_tf.asking": ["page.html", "top_page.html"],
        "gr_tf.data": ["nations/*.txt"],
        "gr_tf": ["py.typed", "__init__.pyi"],
    },
    entry_points={"console_scripts": ["gr_tf = gr_tf.__main__:main"]},
    install_requires=[
        "absl-py>=2.1",
        "filelock>=3.13",
        "importlib_resources>=6.0",  # tensorflow-datasets' movielens imports it and does not ask for it
        "jinja2>=3.1",
        "lazy-loader>=0.4",
        "matplotlib>=3.9",
        "networkx>=3.3",
        "numpy>=1.26",
        "pandas>=2.2",
        "pyarrow>=15.0",
        "scipy>=1.15",
        "tensorboard>=2.18",
        "tensorflow>=2.18",
        "tensorflow-datasets>=4.9",
        "tqdm>=4.66",
    ],
    extras_require={
        "ray": ["ray>=2.40"],
        "dask": ["distributed>=2025.1"],
        "test": [
            "distributed>=2025.1",
            "ray>=2.40",
            "hypothesis>=6.100",
            "import-linter>=2.1",
            "mypy>=1.15",
            "pandas-stubs",
            "playwright>=1.45",
            "pre-commit>=4.0",
            "ipykernel>=6.29",
            "nbclient>=0.10",
            "nbformat>=5.10",
            "pytest>=8.0",
            "pytest-xdist>=3.5",
            "ruff>=0.9",
            "scipy-stubs; python_version >= '3.11'",
            "types-tqdm",
        ],
    },
)
