"""Who gets in, which forms count, and what every answer says to browsers."""

from __future__ import annotations

import asyncio
import re

import pytest
from starlette.responses import RedirectResponse

from assignment_pipeline.console import EVERYWHERE, Staff, console
from assignment_pipeline.console.guard import COOKIE
from assignment_pipeline.console.standalone import OneTimeLogin, alone
from assignment_pipeline.errors import InvalidValueError
from tests.console.house import ANNA, Browser, booking

PAGES = ("/", "/floor", "/moment", "/booking?id=b-1", "/queue", "/service", "/act?do=seated&id=b-1", "/rollout")


def test_staff_has_to_be_said(coordinator):
    """There is no default that lets anyone in."""
    with pytest.raises(TypeError, match="staff"):
        console(coordinator)
    with pytest.raises(TypeError, match="a callable that takes a request, got a NoneType"):
        console(coordinator, staff=None)


@pytest.mark.parametrize("answer", [None, True, "anna", {"actor": "anna"}, 1, [], Staff])
def test_whoever_is_no_staff_is_refused(coordinator, put, answer):
    """None refuses, and so does anything else than a `Staff`, with a page that says nothing of the house."""
    put("b-1")
    browser = Browser(console(coordinator, staff=lambda _: answer))
    for path in PAGES:
        page = browser.get(path)
        assert page.status == 403, path
        assert "corner" not in page.html
        assert 'href="./"' not in page.html
        assert "set-cookie" not in page.headers
    assert browser.post({"do": "seated", "id": "b-1"}).status == 403
    assert coordinator.record("b-1").allocation.seated_at is None


def test_staff_finds_the_way_back(coordinator):
    """From a page that only says what is not there."""
    page = Browser(console(coordinator, staff=lambda _: Staff("anna", restaurants=["corner"]))).get("/booking?id=nope")
    assert page.status == 404
    assert 'href="./"' in page.html


def test_what_staff_raises_lets_nobody_in(coordinator):
    """A login that fails is an error of the host's, and no page."""

    def broken(_request):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Browser(console(coordinator, staff=broken)).get("/floor")


def test_a_login_may_answer_itself(coordinator):
    """Such as with the way to the login, from a coroutine function, too."""

    async def staff(_request):
        await asyncio.sleep(0)
        return RedirectResponse("/login")

    page = Browser(console(coordinator, staff=staff)).get("/floor")
    assert (page.status, page.headers["location"]) == (307, "/login")


@pytest.mark.parametrize(
    ("actor", "restaurants"),
    [("", ["corner"]), ("a\nb", ["corner"]), ("anna", None), ("anna", "corner"), ("anna", [""])],
)
def test_a_staff_that_makes_no_sense_is_refused(actor, restaurants):
    """Where it is made: a name that no history takes, or one text in place of several."""
    with pytest.raises(InvalidValueError):
        Staff(actor, restaurants=restaurants)


def test_staff_see_their_restaurant_only(coordinator, put):
    """Another one's floor, queue, service and bookings look as if there were none; nothing is done to them either."""
    put("b-1", restaurant_id="other")
    browser = Browser(console(coordinator, staff=lambda _: ANNA))
    mine = browser.do("/act?do=block&tables=T1&from=20:00&to=21:00&reason=leak")
    assert mine.status == 200, mine.text
    fields = {"token": browser.get("/act?do=block&tables=T1&from=20:00&to=21:00&reason=leak").fields()["token"]}
    for path in ("floor", "moment", "queue", "service"):
        assert browser.get(f"/{path}?restaurant=other").status == 404
    for path in (
        "booking?id=b-1",
        "act?do=seated&id=b-1",
        "rollout",
        "mismatch?id=x",
        "booking?id=nobody",
        "act?do=nothing",
    ):
        assert browser.get(f"/{path}").status == 404
    for sent in (
        {"do": "no_show", "id": "b-1"},
        {"do": "seated", "id": "b-1", "restaurant": "corner"},
        {"do": "block", "restaurant": "other", "tables": "T1", "from": "20:00", "to": "21:00", "reason": "leak"},
    ):
        assert browser.post({**fields, **sent}).status == 404
    assert coordinator.record("b-1").allocation.seated_at is None
    assert coordinator.blocks("other") == ()


def test_who_works_nowhere_sees_nothing(coordinator):
    """No restaurant is no restaurant, not all of them."""
    browser = Browser(console(coordinator, staff=lambda _: Staff("anna", restaurants=[])))
    assert browser.get("/floor").status == 404
    assert "No restaurant is yours." in browser.get("/").text
    assert (
        "Restaurants" in Browser(console(coordinator, staff=lambda _: Staff("a", restaurants=EVERYWHERE))).get("/").text
    )


@pytest.mark.parametrize(
    ("change", "headers"),
    [
        ({"token": ""}, {}),
        ({"token": "0" * 64}, {}),
        ({"token": "é"}, {}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Sec-Fetch-Site": "same-site"}),
        ({}, {"Sec-Fetch-Site": "none"}),
        ({}, {"Sec-Fetch-Site": None, "Origin": "http://evil.example"}),
        ({}, {"Sec-Fetch-Site": None, "Origin": "null"}),
        ({}, {"Cookie": ""}),
        ({}, {"Content-Type": "text/plain"}),
        ({"x": "x" * 70_000}, {}),
    ],
)
def test_a_form_that_is_not_ours_does_nothing(coordinator, put, anna, change, headers):
    """Without the token, from another site, without the cookie, of another kind, or too large."""
    put("b-1")
    fields = anna.get("/act?do=seated&id=b-1").fields()
    if "Cookie" in headers:
        anna.cookies.clear()
    page = anna.post({**fields, **change}, **headers)
    assert (page.status, "Nothing was done" in page.text) == (403, True)
    assert coordinator.record("b-1").allocation.seated_at is None


def test_a_form_is_good_for_its_browser_and_its_person(coordinator, put):
    """Another person's token, or that of another browser of theirs, does nothing; one's own does."""
    put("b-1")
    who = [ANNA]
    app = console(coordinator, staff=lambda _: who[0])
    one, other = Browser(app), Browser(app)
    fields, others = (each.get("/act?do=seated&id=b-1").fields() for each in (one, other))
    assert one.post({**fields, "token": others["token"]}).status == 403
    who[0] = Staff("ben", restaurants=["corner"])
    assert one.post(fields).status == 403
    who[0] = ANNA
    assert one.post(fields).status == 200
    assert coordinator.record("b-1").allocation.seated_at is not None


def test_looking_changes_nothing(coordinator, put, anna):
    """Whatever is asked with GET is only shown, and HEAD and others do not get to forms either."""
    put("b-1")
    before = coordinator.record("b-1")
    fields = anna.get("/act?do=seated&id=b-1").fields()
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        anna.ask(method, "/act", params=fields)
    assert coordinator.record("b-1") == before


def test_every_answer_tells_browsers_what_it_may_do(coordinator, put, anna):
    """Pages, refusals, the style sheet and the script: nothing from elsewhere, no frames, no script of a page's own."""
    put("b-1")
    stranger = Browser(console(coordinator, staff=lambda _: None))
    answers = [anna.get(path) for path in (*PAGES, "/nowhere", "/console.css", "/console.js", "/console.svg")]
    for page in [*answers, stranger.get("/floor"), anna.post({})]:
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "same-origin"
        if "text/html" in page.headers.get("content-type", ""):
            assert page.headers["cache-control"] == "no-store"
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", page.html)
            assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page.html)


def test_the_cookie_stays_with_the_console(coordinator, anna):
    """No other site's page sends it, no script reads it, and over TLS it is sent over TLS only."""
    cookie = anna.get("/floor").headers["set-cookie"]
    assert re.fullmatch(rf"{COOKIE}=[\w-]{{43}}; HttpOnly; Path=/; SameSite=strict", cookie)
    mounted = Browser(console(coordinator, staff=lambda _: ANNA)).get("https://example.org/floor")
    assert "; Secure" in mounted.headers["set-cookie"]


NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "' or 1=1 --",
    "a&b=c#d?e/f",
    "Ünïcode ✓ 🍷",
)


@pytest.mark.parametrize("text", NASTY)
def test_what_people_are_called_is_only_text(coordinator, store, text):
    """Bookings, tables' zones and actors with markup: shown as they are, and links to them lead there."""
    made = booking(text)
    store.host.put_booking(made)
    assert coordinator.assign(made).tables
    browser = Browser(console(coordinator, staff=lambda _: Staff(text, restaurants=["corner"])))
    coordinator.pin(text, actor=text)
    for path in ("/floor", "/moment?m=1210", "/service"):
        page = browser.get(path)
        assert (page.status, text in page.text.replace(" +", " ")) == (200, True), path
        assert "<script>alert" not in page.html
        assert "<img" not in page.html
    link = re.search(r'href="(booking\?id=[^"]*)"', browser.get("/floor").html)[1]
    page = browser.get(f"/{link.replace('&amp;', '&')}")
    assert page.status == 200
    assert text in page.text
    assert text in browser.do(f"/act?do=seated&{link.partition('?')[2]}").text


def test_what_nobody_sees_is_shown(coordinator, store, anna):
    """Control characters, and those that turn a line around, are written out: what is read is what is there."""
    page = anna.get("/floor", params={"date": "2031\u202e-05\x1b[31m\x00"})
    assert page.status == 400
    assert "\\u202e" in page.text
    assert not re.search("[\u202e\x1b\x00]", page.html)


def test_the_token_of_a_try_lets_one_browser_in_once(coordinator):
    """By itself, the console takes the printed token once, and only under this machine's own names."""
    login = OneTimeLogin("anna")
    token = login.token
    app = alone(coordinator, login)
    first, second = Browser(app), Browser(app)
    assert first.get("/").status == 403
    assert first.get("/?token=guess").status == 403
    let_in = first.get(f"/?token={token}")
    assert (let_in.status, let_in.headers["location"]) == (303, "./")
    assert re.search(r"HttpOnly;.*SameSite=strict", let_in.headers["set-cookie"])
    assert first.get("/").status == 200
    assert second.get(f"/?token={token}").status == 403
    assert second.get("/").status == 403
    rebound = first.get("/", headers={"Host": "evil.example"})
    assert rebound.status == 400
    assert token not in repr(login)


def test_what_a_hosts_error_quotes_is_shown_to_nobody(store, anna, caplog, monkeypatch):
    """Neither the page nor the log repeats a guest's name; the log names the error's class."""

    def quotes(*_):
        msg = "Failing row contains (Rosalind Canary)."
        raise RuntimeError(msg)

    monkeypatch.setattr(store.checked_host.host, "venue", quotes)
    answer = anna.get("/floor")
    assert answer.status == 500
    assert "Canary" not in answer.text + caplog.text
    assert "RuntimeError" in caplog.text
