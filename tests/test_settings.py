"""Wrong settings are told in one line that names the variable, before anything is asked or written."""

import os
import re
from pathlib import Path
from typing import Literal, get_origin

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.settings import Look, Settings, data_dir, load, report_look, secrets_in_reach

KEY = "sk_live_settings_secret_0123"
WHO = {"api_key": KEY, "organization_id": "o-1"}
GOOD = {"DCYCLE_API_KEY": KEY, "DCYCLE_ORGANIZATION_ID": "o-1"}
PLAIN = [
    name
    for name, field in Settings.model_fields.items()
    if field.annotation in (int, float, bool) or get_origin(field.annotation) is Literal
]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, without_network_variables: None) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def message() -> str:
    with pytest.raises(SettingsError) as caught:
        load()
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize("name", GOOD)
def test_what_is_missing_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)
    assert name in message()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_connections", "0"),
        ("max_connections", "33"),
        ("max_connections", "x"),
        ("personal_data", "all"),
        ("facilities_api", "v2"),
        ("auth", "basic"),
        ("request_seconds", "0"),
        ("list_pages", "0"),
        ("list_rows", "0"),
        ("list_mb", "nan"),
        ("list_minutes", "0"),
        ("organization_minutes", "0"),
        ("organization_minutes", "nan"),
        ("run_hours", "0"),
        ("retry_attempts", "0"),
        ("keep_runs", "0"),
        ("keep_snapshots", "0"),
        ("memory_limit_mb", "1"),
        ("base_url", "api.dcycle.io"),
        ("api_key", " "),
        ("api_key", "a\nb"),
        ("api_key", "schlüssel"),
        ("organization_id", ""),
        ("request_seconds", "nan"),
        ("retry_first_wait_seconds", "nan"),
        ("organization_id", "ö-1"),
        ("organization_id", "o\n1"),
        ("user_id", "ü"),
        ("user_id", "u\n1"),
        ("report_language", "fr"),
        ("report_locale", "klingon"),
        ("report_locale", "es_XX_"),
        ("report_logo", "logo.exe"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_name(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(f"DCYCLE_{name.upper()}", value)
    assert f"DCYCLE_{name.upper()}" in message()


@pytest.mark.parametrize("name", PLAIN)
def test_a_wrong_number_or_choice_is_told_in_plain_words(environment: pytest.MonkeyPatch, name: str) -> None:
    told = set()
    for value in ("?", "-1", "1,5", "nan"):
        environment.setenv(f"DCYCLE_{name.upper()}", value)
        try:
            load()
        except SettingsError as error:
            told.add(str(error))
    (line,) = told
    example = Settings.model_fields[name].default
    assert re.fullmatch(
        rf"DCYCLE_{name.upper()} must be (true or false|.+ or .+|a (whole )?number.*, such as {example})", line
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://api.dcycle.io",
        "http://127.0.0.1.evil.com",
        "http://localhost.evil.com",
        "http://user@127.0.0.1/",
        "https://user:word@api.dcycle.io",
        "http://127.0.0.1@evil.com",
        "http://:word@127.0.0.1/",
        "http://0.0.0.0",
        "ftp://127.0.0.1",
        "https://",
        "https://x/?a=1",
        "https://x/#a",
        "http://[::1",
        "https://api.dcycle.io:abc",
        "https://api.dcycle.io:99999",
        "https://api dcycle.io",
        "https://api.dcycle.io\\@evil.com",
        "https://..",
        "https://u:word@h",
        "https://münchen.example",
        "https://аpi.dcycle.io",
        "https://api.dcycle.io/../x",
        "https://api.dcycle.io/%2e%2e/x",
        "https://127.1",
        "http://0x7f.1",
        "http://[::1%25lo]",
        "HTTP://api.dcycle.io",
        "http://localhost..",
        "https:api.dcycle.io",
        "https://api.dcycle.io\n.evil.com",
    ],
)
def test_a_base_url_that_could_lead_the_key_astray_is_refused(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("DCYCLE_BASE_URL", url)
    assert "DCYCLE_BASE_URL" in message()


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://api.dcycle.io/", "https://api.dcycle.io"),
        ("HTTPS://API.Dcycle.IO.:443", "https://api.dcycle.io"),
        (" Https://xn--mnchen-3ya.example:8443/ ", "https://xn--mnchen-3ya.example:8443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("Http://LOCALHOST.:80/", "http://localhost"),
        ("http://127.0.0.1:1/x/", "http://127.0.0.1:1/x"),
        ("http://[::1]:1/", "http://[::1]:1"),
        ("HTTP://[0:0:0:0:0:0:0:1]:80", "http://[::1]"),
        ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
        ("", "https://api.dcycle.io"),
    ],
)
def test_https_and_this_very_machine_are_allowed_in_any_spelling(
    environment: pytest.MonkeyPatch, url: str, normal: str
) -> None:
    environment.setenv("DCYCLE_BASE_URL", url)
    assert load().base_url == normal


schemes = st.sampled_from(["https", "HTTPS", "Https", "http", "HTTP", "Http"])
hosts = st.sampled_from(
    [
        "api.dcycle.io",
        "API.DCYCLE.IO",
        "localhost",
        "LocalHost",
        "127.0.0.1",
        "127.0.0.2",
        "[::1]",
        "[::FFFF:127.0.0.1]",
        "10.0.0.1",
    ]
)
dots, ports, slashes = (
    st.sampled_from(["", "."]),
    st.sampled_from(["", ":", ":80", ":443", ":8443"]),
    st.sampled_from(["", "/"]),
)


@hypothesis_settings(max_examples=40)
@given(scheme=schemes, host=hosts, dot=dots, port=ports, slash=slashes)
def test_what_is_decided_of_an_address_is_what_httpx_does_with_it(
    scheme: str, host: str, dot: str, port: str, slash: str
) -> None:
    try:
        settings = load(**WHO, base_url=f"{scheme}://{host}{dot}{port}{slash}")
    except SettingsError:
        assert (scheme.lower(), settings_loopback(host)) == ("http", False)
        return
    url, address = httpx.URL(settings.base_url), settings.address
    assert (url.scheme, url.host, url.port, url.path.rstrip("/")) == (
        address.scheme, address.host, address.port, address.path,
    )  # fmt: skip
    assert settings.base_url == load(**WHO, base_url=settings.base_url).base_url
    assert (address.is_encrypted, address.is_loopback) == (scheme.lower() == "https", settings_loopback(host))


def settings_loopback(host: str) -> bool:
    return host.lower() in ("localhost", "127.0.0.1", "127.0.0.2", "[::1]", "[::ffff:127.0.0.1]")


OPTIONAL = sorted(
    name for name, field in Settings.model_fields.items() if not field.is_required() and name != "api_key"
)


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_empty_variable_counts_as_not_set(environment: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    usual = load()
    environment.setenv(f"DCYCLE_{name.upper()}", "")
    assert load() == usual
    (tmp_path / ".env").write_text(f"DCYCLE_{name.upper()}=\n")
    assert load() == usual
    assert data_dir() == usual.data_dir


def test_an_empty_variable_leaves_the_word_to_the_env_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DCYCLE_DATA_DIR=elsewhere\nDCYCLE_USER_ID=u\n")
    environment.setenv("DCYCLE_DATA_DIR", "")
    environment.setenv("DCYCLE_USER_ID", "")
    settings = load()
    assert (settings.data_dir, data_dir(), settings.user_id) == (*[Path("elsewhere").absolute()] * 2, "u")


@pytest.mark.parametrize("name", ["email", "password"])
def test_what_is_no_text_is_refused_for_a_login(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(f"DCYCLE_{name.upper()}", os.fsdecode(b"w\xf6rd"))
    assert f"DCYCLE_{name.upper()}" in message()


PROXY = "http://proxy.example:3128"
WORD = "p%40ss-word"


@pytest.mark.parametrize(
    ("variables", "url", "proxied"),
    [
        ({"HTTPS_PROXY": PROXY}, "https://api.dcycle.io", True),
        ({"https_proxy": PROXY}, "HTTPS://api.dcycle.io", True),
        ({"ALL_PROXY": PROXY}, "https://api.dcycle.io", True),
        ({"all_proxy": "proxy.example:3128"}, "https://api.dcycle.io", True),
        ({"HTTP_PROXY": PROXY}, "https://api.dcycle.io", False),
        ({"HTTPS_PROXY": PROXY, "https_proxy": ""}, "https://api.dcycle.io", False),
        ({"HTTPS_PROXY": ""}, "https://api.dcycle.io", False),
        *(({"HTTPS_PROXY": PROXY, "ALL_PROXY": PROXY, "HTTP_PROXY": PROXY}, url, False) for url in (
            "http://localhost:1", "https://LOCALHOST./", "https://127.0.0.1", "https://[::1]:8443", "http://[::ffff:127.0.0.1]"
        )),
        *(({"HTTPS_PROXY": PROXY, "NO_PROXY": exception}, "https://api.dcycle.io", False) for exception in (
            "*", "api.dcycle.io", "x.example, API.DCYCLE.IO", ".dcycle.io", "*.dcycle.io", "dcycle.io", "io", "api.dcycle.io.",
            "api.dcycle.io:443", "https://api.dcycle.io", "x y api.dcycle.io"
        )),
        *(({"HTTPS_PROXY": PROXY, "no_proxy": exception}, "https://api.dcycle.io", True) for exception in (
            "", ",", "cycle.io", "api.dcycle.io:8443", "http://api.dcycle.io", "evil.api.dcycle.io", "10.0.0.0/8", "[", ".", "x:y"
        )),
        *(({"HTTPS_PROXY": PROXY, "NO_PROXY": exception}, "https://10.1.2.3", False) for exception in (
            "10.1.2.3", "10.0.0.0/8", "10.1.2.3:443"
        )),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/16"}, "https://10.1.2.3", True),
        *(({"HTTPS_PROXY": PROXY, "NO_PROXY": exception}, "https://[fd00::1]", False) for exception in ("fd00::/8", "[fd00::1]", "fd00::1")),
    ],
)  # fmt: skip
def test_proxies_are_taken_from_their_variables(
    environment: pytest.MonkeyPatch, variables: dict[str, str], url: str, proxied: bool
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    proxy = load(base_url=url).proxy
    assert (proxy and proxy.url) == (PROXY if proxied else None)


def test_the_env_file_may_name_the_proxy_and_its_password_is_a_secret(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"HTTPS_PROXY=http://user:{WORD}@proxy.example:3128\nSSL_CERT_FILE=/there.pem\n")
    settings = load()
    assert settings.proxy
    assert settings.proxy.variable == "HTTPS_PROXY"
    assert {WORD, "p@ss-word"} <= set(secrets_in_reach())
    assert WORD not in f"{settings!r}{settings}"
    environment.setenv("https_proxy", PROXY)
    assert load().proxy == ("HTTPS_PROXY", PROXY)


def test_a_key_with_a_space_at_its_end_is_either_trimmed_or_refused(environment: pytest.MonkeyPatch) -> None:
    """On the wire it would be an illegal header, and the error of that shows the key."""
    environment.setenv("DCYCLE_API_KEY", f" {KEY} ")
    try:
        key = load().key_for("o-1")
    except SettingsError:
        key = KEY
    assert key == KEY


def test_a_dot_env_file_is_read_and_the_environment_wins(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DCYCLE_USER_ID=u-file\nDCYCLE_ORGANIZATION_ID=o-file\nDCYCLE_DATA_DIR=d\n")
    settings = load()
    assert (settings.user_id, settings.organization_id, settings.data_dir) == ("u-file", "o-1", Path("d").absolute())


def test_every_setting_has_a_description_and_no_secret_shows() -> None:
    settings = load(api_key=KEY, organization_id="o-1", password="pass-word-secret", email="x@example.org")
    shown = f"{settings!r}{settings}{settings.model_dump()}{settings.model_dump_json()}"
    assert KEY not in shown
    assert "pass-word-secret" not in shown
    assert all(field.description for field in Settings.model_fields.values())


def test_the_legacy_api_needs_a_user(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DCYCLE_FACILITIES_API", "legacy")
    assert "DCYCLE_USER_ID" in message()


def test_a_login_needs_no_key(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("DCYCLE_API_KEY")
    environment.setenv("DCYCLE_AUTH", "bearer")
    environment.setenv("DCYCLE_EMAIL", "x@example.org")
    assert "DCYCLE_API_KEY" in message()
    environment.setenv("DCYCLE_PASSWORD", "word")
    assert load().key_for("o-1") == ""


@pytest.mark.parametrize(
    "content",
    [
        "include = [",
        "includes = ['a']",
        "include = 'a'",
        "[[organization]]\nid = 'a'",
        "[[organization]]\nid = 'a'\nminutes = 0",
        "[[organization]]\nid = 'a'\nminutes = nan",
        "[[organization]]\nid = 'a'\nminutes = 'many'",
        "[[organization]]\nid = 'a'\napi_key_variable = 'NO_SUCH_KEY'",
        "\x00",
        "exclude = [1]",
    ],
)
def test_a_wrong_organisations_file_is_told_at_once(
    environment: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    (tmp_path / "o.toml").write_text(content)
    environment.setenv("DCYCLE_ORGANIZATIONS_FILE", "o.toml")
    assert re.search("DCYCLE_ORGANIZATIONS_FILE|NO_SUCH_KEY", message())


@pytest.mark.parametrize("content", [b"\xff\xfe", b"include = ['\xe9']"])
def test_an_organisations_file_that_is_not_utf8_is_told_at_once(
    environment: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "o.toml").write_bytes(content)
    environment.setenv("DCYCLE_ORGANIZATIONS_FILE", "o.toml")
    assert "DCYCLE_ORGANIZATIONS_FILE" in message()


@pytest.mark.parametrize("path", ["missing.toml", "."])
def test_an_organisations_file_that_is_none_is_told_at_once(environment: pytest.MonkeyPatch, path: str) -> None:
    environment.setenv("DCYCLE_ORGANIZATIONS_FILE", path)
    assert "DCYCLE_ORGANIZATIONS_FILE" in message()


@pytest.mark.parametrize("value", ["schlüssel", "a\nb", " "])
def test_a_key_of_its_own_is_as_strict_as_the_first(
    environment: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    (tmp_path / "o.toml").write_text("[[organization]]\nid = 'a'\napi_key_variable = 'OWN_KEY'")
    environment.setenv("DCYCLE_ORGANIZATIONS_FILE", "o.toml")
    environment.setenv("OWN_KEY", value)
    assert "OWN_KEY" in message()


def test_include_exclude_and_own_keys(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = "include = ['a', 'b']\nexclude = ['b']\n[[organization]]\nid = 'a'\napi_key_variable = 'OWN_KEY'"
    (tmp_path / "o.toml").write_text(text)
    (tmp_path / ".env").write_text("OWN_KEY=sk_own\n")
    environment.setenv("DCYCLE_ORGANIZATIONS_FILE", "o.toml")
    settings = load()
    assert [settings.organizations.wants(name) for name in "abc"] == [True, False, False]
    assert (settings.key_for("a"), settings.key_for("b")) == ("sk_own", KEY)


def test_minutes_of_their_own(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text(
        "[[organization]]\nid = 'a'\nminutes = 7\n[[organization]]\nid = 'b'\napi_key_variable = 'OWN_KEY'"
    )
    environment.setenv("OWN_KEY", "sk_own_key")
    environment.setenv("DCYCLE_ORGANIZATIONS_FILE", "o.toml")
    environment.setenv("DCYCLE_ORGANIZATION_MINUTES", "90")
    settings = load()
    assert [settings.time_of(name).minutes for name in "abc"] == [7, 90, 90]
    assert "minutes of organisation a in DCYCLE_ORGANIZATIONS_FILE" in settings.time_of("a").setting
    assert settings.time_of("b").setting == "DCYCLE_ORGANIZATION_MINUTES"
    assert (settings.key_for("a"), settings.key_for("b")) == (KEY, "sk_own_key")
    assert set(settings.secrets) == {KEY, "sk_own_key"}


def test_the_look_of_the_report_is_the_same_with_and_without_the_other_settings(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert report_look() == load().look == Look()
    (tmp_path / ".env").write_text(
        "DCYCLE_REPORT_TITLE= Agua 2025 \nDCYCLE_REPORT_LOGO=logo.png\nDCYCLE_REPORT_LOCALE=es-es\nDCYCLE_REPORT_LANGUAGE=ES\n"
    )
    assert report_look() == load().look == Look("Agua 2025", Path("logo.png").absolute(), "es", "es_ES")


@pytest.mark.parametrize("name", ["language", "locale", "logo"])
def test_a_wrong_look_is_refused_by_its_name_without_the_other_settings(
    environment: pytest.MonkeyPatch, name: str
) -> None:
    environment.setenv(f"DCYCLE_REPORT_{name.upper()}", "x y")
    assert f"DCYCLE_REPORT_{name.upper()}" in message()
    with pytest.raises(SettingsError, match=f"DCYCLE_REPORT_{name.upper()}"):
        report_look()
