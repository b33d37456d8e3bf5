"""What personal data look like, as regular expressions by the name that takes their place; knows no library.

The lists of presidio cover what the world shares (cards, bank accounts, addresses of machines). These cover what people
of chat platforms give away, and what presidio asks a network or a language model for.
"""

from __future__ import annotations

from collections.abc import Mapping

_DOMAIN = r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}"
_AT, _DOT = r"\s?[\[({]\s?(?:at|@)\s?[\])}]\s?", r"(?:\s?[\[({]\s?(?:dot|\.)\s?[\])}]\s?|\.)"
# Behind a full stop without a space stands many a word that is a country's ending too: only these, in small letters.
_BARE_ENDINGS = "com|org|net|edu|gov|io|dev|app|info|biz|xyz|de|uk|eu|fr|ch|nl|pl|ru|jp|ca|au|br|tv|gg|shop|online|site"
_PHONE_CUE = (
    r"(?i:phone|mobile|cell|whats\s?app|signal|telegram|tel|fax|hotline|handy|telefon|nummer|call|text|ring|dial|"
    r"number|reach|ruf|mobil|tél|tel[eé]fono|teléfono|llama)"
)
_PASSWORD = r"(?i:password|passwort|passwd|passphrase|pwd|api[ _-]?key|mot de passe|contraseña)"
_SECRET = rf"(?:{_PASSWORD}|(?i:secret|token|bearer))"

# The cases of letters count here: a token has both.
EXACT: Mapping[str, tuple[str, ...]] = {
    "TOKEN": (
        r"(?<![\w-])[MNO][\w-]{22,28}\.[\w-]{5,8}\.[\w-]{25,45}(?![\w-])",  # a Discord bot
        r"(?<!\w)\d{6,12}:[\w-]{20,60}(?![\w-])",  # a Telegram bot
        r"(?<!\w)mfa\.[\w-]{60,100}",
        r"(?<!\w)hf_[A-Za-z0-9]{16,}",
        r"(?<!\w)(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{16,})",
        r"(?<!\w)(?:sk|pk|rk)[-_](?:[a-z]{2,8}[-_])*[A-Za-z0-9][\w-]{15,}",
        r"(?<!\w)xox[abeoprs]-[\w-]{10,}",
        r"(?<!\w)(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}(?!\w)",
        r"(?<!\w)AIza[\w-]{30,40}(?![\w-])",
        r"(?<!\w)(?:npm_|pypi-|dop_v1_|shpat_|SG\.)[\w.-]{20,}",
        r"(?<!\w)eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?",  # a JSON Web Token
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----END)[\s\S])*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
        # Long and without words: hexadecimal with letters and digits, base64 with digits and both cases.
        r"(?<![\w])(?=[\da-f]*\d)(?=[\da-f]*[a-f])[\da-f]{24,}(?![\w])",
        r"(?<![\w])(?=[\dA-F]*\d)(?=[\dA-F]*[A-F])[\dA-F]{24,}(?![\w])",
        r"(?<![\w+/-])(?=[\w+/-]*\d)(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])[\w+/-]{28,}={0,2}(?![\w+/=-])",
        rf"{_PASSWORD}\s*[:=]\s*[\"'`]?[^\s\"'`]{{4,}}",
        rf"{_SECRET}(?:\s+(?:is|ist|was|est|es)\b|\s*[:=])\s*[\"'`]?(?=[^\s\"'`]*\d)[^\s\"'`]{{6,}}",
    ),
    "URL": (
        rf"(?<![\w@.-])(?:[a-z\d](?:[a-z\d-]{{0,61}}[a-z\d])?\.)+(?:{_BARE_ENDINGS})"
        r"(?![\w.-]*[\w-])(?:[/?#][^\s<>\"']*)?",
    ),
    "HANDLE": (
        r"(?<![\w@./])@(?!(?:everyone|here)\b)[^\W\d]\w(?:[\w.]{0,30}\w)?(?!\w)",
        r"(?<![\w#])[\w.]{2,32}#\d{4}(?!\d)",  # as Discord had them
        r"(?<![\w/])/?u/[A-Za-z][\w-]{2,20}(?![\w/])",
    ),
}

# Whatever the case.
ANY_CASE: Mapping[str, tuple[str, ...]] = {
    "EMAIL": (
        rf"(?<![\w.+-])[\w!#$%&'*+/=?^`{{|}}~-][\w.!#$%&'*+/=?^`{{|}}~-]{{0,63}}@{_DOMAIN}(?![\w-])",
        rf"(?<!\w)[\w.+-]{{1,64}}{_AT}[\w-]+(?:{_DOT}[\w-]+)+",
        r"(?<!\w)[\w.+-]{1,64} at [\w-]+ dot (?:com|org|net|edu|de|co|io|uk|fr|me|info)\b",
    ),
    "URL": (
        r"(?<!\w)[a-z][a-z\d+.-]{1,15}://[^\s<>\"']+",
        r"(?<![\w@.-])www\d?\.[^\s<>\"']+",
        r"(?<!\w)magnet:\?[^\s<>\"']+",
    ),
    "LINK": (  # into a chat platform: who follows it finds people
        r"(?<![\w@])(?:https?://|tg://)?(?:www\.)?(?:t\.me|telegram\.(?:me|dog))/[^\s<>\"']+",
        r"(?<!\w)tg://[^\s<>\"']+",
        r"(?<![\w@])(?:https?://)?(?:www\.)?(?:discord\.(?:gg|me)|discord(?:app)?\.com|dsc\.gg)/[^\s<>\"']+",
        r"(?<![\w@])(?:https?://)?(?:wa\.me|chat\.whatsapp\.com|signal\.me|signal\.group|matrix\.to)/[^\s<>\"']+",
    ),
    "ID": (
        r"<(?:@[!&]?|#|a?:\w{2,32}:|/[\w -]{1,100}:)\d{5,20}>",  # mentions, channels, emoji, commands
        r"(?<![\w.,])\d{17,20}(?![\w])",  # a Discord snowflake
        r"(?<![\w.])-100\d{9,11}(?!\w)",  # a Telegram supergroup
        r"(?<!\w)(?:telegram|discord|tg|user|chat|channel|guild|server|account)[\s_-]{0,2}(?:id|number|nr)"
        r"(?:\s+is|\s+ist)?\W{0,3}-?\d{5,20}(?!\w)",
        r"(?<![\w.,+-])(?!\d*0{5})\d{9,16}(?!\w|[.,]\d)",  # too long for anything that is counted
    ),
    "PHONE": (
        r"(?<![\w+])\+\s?\d(?:[\s().\-/\u2010-\u2015]{0,3}\d){6,14}(?!\d)",
        r"(?<![\d.,:/+-])00[1-9]\d?(?:[\s().\-/]{0,2}\d){7,13}(?!\d)",
        r"(?<![\d.,:/+-])0[1-9]\d{1,4}[\s/-]{1,3}\d{2,4}(?:[\s-]?\d{2,4}){1,3}(?!\d|[.,:/]\d)",  # a trunk prefix
        r"(?<![\d.,:/+-])(?:1[-. ])?\(?[2-9]\d{2}\)?[-. ]{1,2}\d{3}[-. ]\d{4}(?!\d|[.,:/-]\d)",  # North America
        r"(?<![\d.,:/+-])555[-. ]\d{4}(?!\d|[.,:/-]\d)",
        rf"(?<!\w){_PHONE_CUE}\W{{1,3}}(?:\w+\W{{1,2}}){{0,3}}?\K(?!\d{{4}}-\d\d-\d\d)\(?\d(?:[\s().\-/]{{0,2}}\d){{5,14}}(?!\d|[.,:/]\d)",
    ),
    "WALLET": (
        r"(?<!\w)0x[\da-f]{40}(?!\w)",
        r"(?<!\w)bc1[a-z\d]{20,70}(?!\w)",
        r"(?<!\w)4[\dAB][1-9A-HJ-NP-Za-km-z]{93}(?!\w)",  # Monero
    ),
}
