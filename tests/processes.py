"""Real Odoo processes on a database of their own, with real commits.

One cursor that is rolled back at the end cannot show what happens between two workers,
or to the rows of one that is killed. Here a test has a database that others commit to,
a server with worker processes, and short-lived processes that run a function of the
test module::

    def count(env, model):
        return env[model].search_count([])

    class TestUsers(ProcessCase):
        def test_there_is_a_user(self):
            self.assertTrue(self.call(count, "res.users"))

``make test`` tells by its environment which Odoo to start; without it all is skipped.
"""

import atexit
import configparser
import contextlib
import functools
import os
import shutil
import signal
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from unittest import SkipTest

import psycopg2

from odoo import SUPERUSER_ID, api
from odoo.tests import BaseCase

from ..dev.odoo.forking import Forkable
from ..dev.odoo.log import Log
from ..dev.sandbox import GraphSandbox

ADDON = "ih_meta_conversions_api"
# Seconds between two looks at something that is to happen.
POLL = 0.05
# Seconds after which it is not going to happen, also on a busy machine. queue_job may lose
# the start of a job to its own search for dead ones, and begins it again minutes later.
PATIENCE = 300

# ----------------------------------------------------------------- Odoo, as it is told


@dataclass(frozen=True)
class Installation:
    """The Odoo that runs this test, to be started again."""

    launcher: str
    config: str
    series: str

    @property
    def options(self):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(self.config)
        return parser["options"]

    @property
    def template(self):
        """The database with all that the addon depends on, but without it."""
        return f"template_{self.series}"

    def connect(self, database):
        """Open a connection on which every statement is a transaction."""
        names = {
            "host": "db_host",
            "port": "db_port",
            "user": "db_user",
            "password": "db_password",
        }
        given = {key: self.options.get(option) for key, option in names.items()}
        connection = psycopg2.connect(
            dbname=database,
            **{
                key: value
                for key, value in given.items()
                if value not in (None, "False")
            },
        )
        connection.autocommit = True
        return connection

    @property
    def command(self):
        return self.launcher, "-c", self.config


@functools.lru_cache
def installation():
    """Return the Odoo that `make test` runs."""
    names = ("META_CAPI_DEV_ODOO", "META_CAPI_DEV_CONF", "META_CAPI_DEV_SERIES")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise SkipTest(
            f"{', '.join(missing)} not set: run `make test`, which tells how to start"
            " further Odoo processes"
        )
    return Installation(*(os.environ[name] for name in names))


def run_odoo(database, *arguments):
    """Run Odoo until it ends; return its log, judged.

    :raise AssertionError: it failed
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder, "odoo.log"), quiet=True)
        code = log.run(
            [*installation().command, *arguments, "-d", database.name, "--no-http"]
        )
        if code:
            raise AssertionError(f"Odoo ended with {code}:\n{_end(log.path)}")
        return log


def _end(path):
    return "\n".join(path.read_text(errors="replace").splitlines()[-40:])


# ----------------------------------------------------------------------- the database


class Database:
    """A copy of a database, for real commits; it is to be dropped."""

    def __init__(self, source, purpose):
        odoo = installation()
        # The tooling drops what a killed run leaves by the process id at the end.
        self.name = f"{purpose}_{odoo.series}_{os.getpid()}"
        self._connection = None
        self._admin(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        self._admin(f'CREATE DATABASE "{self.name}" TEMPLATE "{source}"')

    def rows(self, query, *parameters):
        """Return the rows of a query, or None for a statement that has none."""
        if self._connection is None:
            self._connection = installation().connect(self.name)
        with self._connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else None

    def column(self, query, *parameters):
        return [value for (value,) in self.rows(query, *parameters)]

    def value(self, query, *parameters):
        ((value,),) = self.rows(query, *parameters)
        return value

    def close(self):
        """Leave it, so that it can be copied."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def drop(self):
        self.close()
        self._admin(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        filestore = Path(installation().options["data_dir"], "filestore", self.name)
        shutil.rmtree(filestore, ignore_errors=True)

    @staticmethod
    def _admin(statement):
        connection = installation().connect("postgres")
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


def shop(purpose):
    """Return a database with the addon, as it is after its installation."""
    return Database(_installed().name, purpose)


@functools.lru_cache
def _installed():
    """Return what the databases of all classes are copied from."""
    database = Database(installation().template, "processes_template")
    atexit.register(database.drop)
    run_odoo(database, "-i", ADDON, "--stop-after-init")
    return database


# ---------------------------------------------------------------------- the processes


def answer(registry, connection):
    """Run the function that the test has sent, and send back what it returns.

    Runs inside ``odoo shell``, in a process of its own.
    """
    connection.send(os.getpid())
    function, arguments = connection.recv()
    try:
        # What any worker does before and after a request.
        registry = registry.check_signaling()
        with registry.cursor() as cr:
            # Kept until the commit, which flushes the environments that there are.
            env = api.Environment(cr, SUPERUSER_ID, {})
            result = function(env, *arguments)
        registry.signal_changes()
    except BaseException:
        connection.send((False, traceback.format_exc()))
    else:
        connection.send((True, result))


class Process:
    """A process of its own that runs one function of a test module."""

    def __init__(self, connection, function, arguments):
        self._connection = connection
        self._ended = False
        self.name = function.__name__
        self.pid = connection.recv()
        connection.send((function, arguments))

    def result(self):
        """Wait for it, and return what the function returns."""
        answer = self._end()
        if answer is None:
            raise AssertionError(f"{self.name} was killed")
        good, value = answer
        if not good:
            raise AssertionError(f"{self.name} failed:\n{value}")
        return value

    def wait_for_death(self):
        """Wait until it has been killed, whatever it was about to do."""
        answer = self._end()
        if answer is not None:
            raise AssertionError(f"{self.name} came to its end: {answer[1]}")

    def kill(self):
        """End it where it is, unless it has ended."""
        if not self._ended:
            # It may end by itself this very moment.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._end()

    def _end(self):
        """Wait for its answer; None if it dies without."""
        if not self._connection.poll(PATIENCE):
            raise AssertionError(f"{self.name} does not end")
        self._ended = True
        try:
            return self._connection.recv()
        except (EOFError, ConnectionError):
            return None


class Processes:
    """Processes of Odoo on a database, each of which runs one function."""

    def __init__(self, database, folder):
        command = installation().command
        self._parent = Forkable(command, database.name, Path(folder), "tests.processes")
        self.stop = self._parent.stop

    def start(self, function, *arguments):
        try:
            return Process(self._parent.fork(), function, arguments)
        except (EOFError, ConnectionError):
            raise AssertionError(f"No process:\n{_end(self._parent.log)}") from None


def complaints(path):
    """Return what is WARNING or worse in a log."""
    log = Log(path.with_suffix(".copy"), quiet=True)
    with path.open(errors="replace") as lines:
        log.follow(lines)
    return [record.text for record in log.bad]


# ----------------------------------------------------------------- what processes run


def configure(env, parameters):
    for key, value in parameters.items():
        env["ir.config_parameter"].set_param(key, value)


# --------------------------------------------------------------------------- the case


class ProcessCase(BaseCase):
    """A shop on a database of its own, armed and connected to a Graph sandbox."""

    # Seconds that events gather; more than any test takes.
    batch_delay = 600

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.database = shop("processes")
        cls.addClassCleanup(cls.database.drop)
        # Not by the ORM: all processes would have to load the registry anew.
        cls.database.rows(
            """
            UPDATE base_automation SET active = true WHERE id = (
                SELECT res_id FROM ir_model_data
                 WHERE module = %s AND name = 'automation_purchase'
            )
            """,
            ADDON,
        )
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.graph = GraphSandbox()
        cls.addClassCleanup(cls.graph.stop)
        cls.graph.start()
        cls.pixel_id = cls.graph.pixel_id
        cls.processes = Processes(cls.database, cls.folder)
        cls.addClassCleanup(cls.processes.stop)
        cls.call(
            configure,
            {
                "meta_capi.enabled": "True",
                "meta_capi.pixel_id": cls.graph.pixel_id,
                "meta_capi.access_token": cls.graph.token,
                "meta_capi.graph_url": cls.graph.url,
                "meta_capi.batch_delay": str(cls.batch_delay),
            },
        )

    def setUp(self):
        super().setUp()
        self.database.rows(
            "TRUNCATE meta_capi_event, meta_capi_attempt, meta_capi_pixel, queue_job"
            " CASCADE"
        )
        self.graph.heal()
        self.graph.clear()

    @classmethod
    def call(cls, function, *arguments):
        """Run a function in a process of its own; return what it returns."""
        return cls.processes.start(function, *arguments).result()

    def start(self, function, *arguments):
        """Have a function run in a process of its own, until the end of the test."""
        process = self.processes.start(function, *arguments)
        self.addCleanup(process.kill)
        return process

    def tell_more(self):
        """Return what else to read where something has not happened."""
        return ""

    def until(self, condition, what):
        """Wait until a condition holds, and return its value."""
        deadline = time.monotonic() + PATIENCE
        while not (value := condition()):
            self.check_server()
            if time.monotonic() > deadline:
                self.fail(f"Not so: {what}{self.tell_more()}")
            time.sleep(POLL)
        return value

    def check_server(self):
        """Fail where a server that is needed has died."""
