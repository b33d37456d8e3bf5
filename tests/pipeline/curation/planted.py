"""Personal data to plant, by the kind that takes their place, and quotes that only look so; nobody's, all made up."""

from __future__ import annotations

PLANTED: dict[str, tuple[str, ...]] = {
    "EMAIL": (
        "ada@example.com", "ada.lovelace+tea@mail.example.co.uk", "a@b.museum", "ada@corp.internal",
        "ada_l-1@xn--bcher-kva.example", "ünal@müller.example", "ada [at] example [dot] com", "ada(at)example.com",
        "ada at example dot com", "ADA@EXAMPLE.COM", "ａｄａ＠example.com", "ad\u200ba@exam\u200bple.com",
    ),
    "PHONE": (
        "+1 415 555 2671", "(415) 555-2671", "415-555-2671", "415.555.2671", "1-800-555-0199", "+44 7700 900123",
        "07700 900123", "020 7946 0958", "+49 30 1234567", "0151 23456789", "030/1234567", "0049 30 1234567",
        "+33 6 12 34 56 78", "06 12 34 56 78", "+91 98765 43210", "+7 (912) 345-67-89", "0664 1234567", "555-0123",
        "+15550100", "+1 (555) 010-9988", "＋４９ 151 23456789",
    ),
    "ID": (
        "<@123456789012345678>", "<@!123456789012345678>", "<@&123456789012345678>", "<#123456789012345678>",
        "<:smile:123456789012345678>", "123456789012345678", "-1001234567890", "telegram id 12345678",
        "user id: 5551234567", "5551234567", "536-22-8726",
    ),
    "LINK": (
        "t.me/adalovelace", "https://t.me/joinchat/AAAAAEabc", "tg://user?id=123456", "discord.gg/abcdef",
        "https://discord.com/channels/1/2/3", "wa.me/4915123456789",
    ),
    "TOKEN": (
        "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB",
        "123456789:AAF4abcdefghijklmnopqrstuvwxyz12345", "hf_abcdefghijklmnopqrstuvwxyzABCDEF",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuv",
        "sk-proj-abc123def456ghi789jkl", "sk-abcdefghijklmnop1234567890", "sk_live_abcdefghijklmnop1234",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_ghi", "AKIAIOSFODNN7EXAMPLE", "xoxb-123456789012-abcdefghijkl",
        "d41d8cd98f00b204e9800998ecf8427e", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "password: hunter2",
        "password is hunter22", "api key = abcd1234efgh",
    ),
    "HANDLE": ("@ada_lovelace", "@bob", "ada#1234", "Ada.L#0042", "u/spez_fan", "@Ünal_x"),
    "CARD": ("4111 1111 1111 1111", "4111111111111111", "5500-0000-0000-0004"),
    "IBAN": ("DE89370400440532013000", "GB82 WEST 1234 5698 7654 32"),
    "IP": ("192.168.1.17", "2001:db8::8a2e:370:7334"),
    "WALLET": ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "0x52908400098527886E0F7030069857D2E4169EE7"),
    "URL": ("https://example.com/ada?x=1", "www.example.org", "example.com/ada", "ada.dev"),
    "NAME": ("Ada Lovelace", "ADA LOVELACE"),
}  # fmt: skip

AROUND = ("{}", "Hey, {} is what I said.", "{}, thanks", "It was ({}).", "so {}!")

CLEAN = (
    "Courage, 3 times a day.", "In 1914-1918 nobody slept.", "Call me at 7.", "Call 911.", "Text me 3 words.",
    "He paid $1,000,000 for 12,500 stars.", "Chapter 12:3-15 says so.", "It is 10:30 on 2024-05-01.",
    "12.05.2024 was a Sunday.", "Room 101, floor 7, door 12.", "ISBN 978-3-16-148410-0", "Meet me @ 5 pm.",
    "@everyone be kind", "C# and F# are notes.", "We are #1!", "The ratio 16:9 is 1.7777777778.",
    "Pi is 3.14159265358979.", "The secret is patience.", "The secret: patience.", "A token is worth more.",
    "Take 5, 10, 15, 20, 25, 30.", "1 2 3 4 5 6 7 8 9 10", "100 200 300 400", "Love.It is all.", "e.g. a.m. i.e. this",
    "I ran 42.195 km in 3:59:59.", "10000000000 stars", "Ring twice, then 4 times.", "50/50, 24/7, 365 days",
    "See you in 2024, 2025, 2026 and 2027.", "1-2-3-4-5-6-7", "9 to 5, 5 to 9", "192.168 is half an address.",
    "and/or his/her", "supercalifragilisticexpialidocious", "Donaudampfschifffahrtsgesellschaftskapitaen",
    "12 345 678 people", "6,022 x 10^23", "the years 1066 1492 1776 1969", "number 12 of 1000 in 1999",
    "20 30 40 50 60 70", "10 20 30 40 50", "2 4 6 8 10 12 14", "1914 1918 1939", "Ages 7, 8, 9, 10, 11, 12",
    "Psalm 23:1-6 and 119:105", "100-200-300", "365-366 days, 12-13 months", "0.1234567", "007 and 0815",
    "Bus 0815 leaves 12:45", "Call 3 friends, 2 cousins and 1 aunt, 100 in all", "I call it 2024-05-01 12:30",
    "8848 m, 8611 m, 8586 m", "1 000 000 thanks", "1.000.000 Sterne", "2 000 000 000 years", "12:30-14:45",
    "3-0, 2-1, 1-1, 4-3 were the results", "👩‍👩‍👧 is a family.", "Naïve café: “¿Qué?”", "Tea at 4, rain at 5.",
)  # fmt: skip
