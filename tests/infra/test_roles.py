"""The login roles that `roles.sql` creates. It is run by an owner who is not a superuser, as on RDS."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from support.stack import ROOT, Stack

ROLES_SQL = ROOT / "infra/terraform/modules/database/roles.sql"
MIGRATIONS = sorted((ROOT / "infra/migrations").glob("*.sql"))
DATABASE = "penstock_roles"
MASTER = "penstock_master"
FUNCTIONS = ("penstock_writer", "penstock_api")
GROUPS = ("penstock_ledger_readers", "penstock_target_readers")


class Server:
    """A separate database on the server of the stack."""

    def __init__(self, url: str) -> None:
        self.url = url

    def connect(self, user: str | None = None, **more: str) -> psycopg.Connection[Any]:
        own = {"dbname": DATABASE, "user": user} if user else {}
        return psycopg.connect(psycopg.conninfo.make_conninfo(self.url, **own, **more), autocommit=True)

    def set_passwords(self, owner: psycopg.Connection[Any], *roles: str) -> None:
        """Sets the password of the stack for the roles, because there is no IAM here."""
        password = psycopg.conninfo.conninfo_to_dict(self.url)["password"]
        for role in roles:
            owner.execute(f"ALTER ROLE {role} PASSWORD '{password}'".encode())

    def run(self, user: str, statement: str, **more: str) -> list[tuple[Any, ...]]:
        with self.connect(user, **more) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create_roles(self) -> subprocess.CompletedProcess[str]:
        target = psycopg.conninfo.make_conninfo(self.url, dbname=DATABASE, user=MASTER)
        command = ["psql", "--no-psqlrc", "--quiet", "--dbname", target, "--file", str(ROLES_SQL)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def server(stack: Stack) -> Iterator[Server]:
    """Creates the roles, the ledger, and target tables that the writer creates afterwards."""
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    server = Server(stack.database_url)
    with server.connect() as owner:
        # As on RDS: a role for IAM logins, and a master user who can grant it.
        owner.execute("CREATE ROLE rds_iam NOLOGIN")
        owner.execute("CREATE ROLE rds_superuser NOLOGIN")
        owner.execute("CREATE ROLE visitor LOGIN")
        owner.execute("GRANT rds_iam TO rds_superuser WITH ADMIN OPTION")
        owner.execute(f"CREATE ROLE {MASTER} LOGIN CREATEROLE CREATEDB IN ROLE rds_superuser".encode())
        owner.execute(f"CREATE DATABASE {DATABASE} OWNER {MASTER}".encode())
        server.set_passwords(owner, MASTER, "visitor")
        created = server.create_roles()
        assert created.returncode == 0, created.stderr
        server.set_passwords(owner, *FUNCTIONS)
        for migration in MIGRATIONS:
            server.run("penstock_writer", migration.read_text())
        server.run("penstock_writer", "CREATE TABLE public.products (id text); CREATE SCHEMA shop")
        server.run("penstock_writer", "CREATE TABLE shop.orders (id text); CREATE TEMPORARY TABLE stage (id text)")
        yield server
        owner.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())
        for role in (*FUNCTIONS, *GROUPS, MASTER, "visitor", "rds_superuser", "rds_iam"):
            owner.execute(f"DROP ROLE {role}".encode())


def test_running_the_script_again_changes_nothing(server: Server) -> None:
    state = "SELECT relname, relacl::text FROM pg_class WHERE relowner = 'penstock_writer'::regrole ORDER BY 1"
    before = server.run(MASTER, state)
    again = server.create_roles()
    assert again.returncode == 0, again.stderr
    assert server.run(MASTER, state) == before


@pytest.mark.parametrize("role", FUNCTIONS)
def test_the_functions_log_in_with_iam(server: Server, role: str) -> None:
    assert server.run(role, "SELECT pg_has_role(current_user, 'rds_iam', 'MEMBER')") == [(True,)]


def test_the_master_user_does_not_keep_the_privileges_of_the_writer(server: Server) -> None:
    # Otherwise it would also be a member of rds_iam, and RDS would no longer accept its password.
    assert server.run(MASTER, "SELECT pg_has_role(current_user, 'penstock_writer', 'USAGE')") == [(False,)]


@pytest.mark.parametrize("table", ["penstock.batch", "penstock.chunk", "public.products", "shop.orders"])
def test_the_api_reads_the_ledger_and_the_target_tables(server: Server, table: str) -> None:
    assert server.run("penstock_api", f"SELECT count(*) FROM {table}") == [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO penstock.migration (version, name) VALUES (99, 'x')",
        "DELETE FROM penstock.chunk",
        "CREATE TABLE public.mine (id text)",
        "CREATE TABLE penstock.mine (id text)",
        "CREATE SCHEMA mine",
        "CREATE TEMPORARY TABLE mine (id text)",
    ],
)
def test_readers_cannot_write_even_in_a_read_write_session(server: Server, statement: str) -> None:
    with pytest.raises(errors.ReadOnlySqlTransaction):
        server.run("penstock_api", statement)
    with pytest.raises(errors.InsufficientPrivilege):
        server.run("penstock_api", statement, options="-c default_transaction_read_only=off")


def test_other_roles_cannot_connect(server: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        server.run("visitor", "SELECT 1")
