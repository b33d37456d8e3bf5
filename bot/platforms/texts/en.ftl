# What Quotesmith says, in English; complete. Another language is a file of the same names beside this one:
# what it lacks is said in English.

# -- waiting, and the end of it

waiting = { $position ->
    [1] next in line
    [2] second in line
    [3] third in line
    [4] fourth in line
    [5] fifth in line
    [6] sixth in line
    [7] seventh in line
    [8] eighth in line
    [9] ninth in line
    [10] tenth in line
   *[other] number { $position } in line
}
waiting-about = { waiting }, about { $seconds } s
stopped = Stopped.
stopped-already = This is over already.
started-over = A new conversation: what we said before is no part of it.
inline-title = A quote on { $keyword }

# -- buttons

button-good = 👍 good
button-bad = 👎 bad
button-again = 🔁 another
button-stop = ✖ cancel
button-off_topic = off topic
button-repeats = repeats itself
button-unkind = unkind or unsafe
button-other = something else
button-better = ✏️ say it better
button-keep = ⭐
button-share = ↗
button-compare = ⚖
button-left = 🅰 is better
button-right = 🅱 is better
button-both = both are good
button-neither = neither is
better-title = Say it better
better-label = What would you rather have read?

# -- votes

voted-up = Thank you, noted as good.
voted-down = Thank you, noted as bad.
kept = Kept among your favourites; /favorites lists them, and the button takes it out again.
kept-no-more = Taken out of your favourites.
shared = Here it is, to be passed on.
favorites =
    { $count ->
        [one] Your favourite:
       *[other] Your newest favourites:
    }
preferred = Thank you, noted.
favorites-none = You have no favourites yet: press ⭐ under a quote.
vote-withdrawn = Taken back; press again to vote.
ask-why = Thank you, noted as bad. What was wrong?
complained = Thank you, that helps.
ask-better = Reply to this message with the wording that you would rather have read. [№{ $reply }]
corrected = Thank you, your wording is kept beside the reply.

# -- help

help =
    What I do:
    /quote KEYWORD: a quote on anything, such as /quote courage
    /chat TEXT: talk with me; so does a message here in private, a mention or a reply elsewhere
    /new: begin a new conversation
    /privacy: what I store, and your rights
    /consent on, /consent off: whether your words may train a better model
    /mydata show, /mydata export: what I store about you
    /forget me: erase it
    /compare TEXT: two quotes or replies side by side, for you to say which is better
    /favorites: the quotes that you kept with ⭐
    The buttons under a reply, and reactions to it, tell me whether it was good.
    A quote may end in #short, #long, #calm or #daring.
help-operator =
    For operators: /stats, /model list, /model use NAME, /announce on, /announce off
welcome =
    Hello, I am Quotesmith: I write quotes and chat, with a small language model that runs on its owner's own machine.
    Try /quote courage, or just write to me. /help lists the rest, /privacy says what I store.
command-quote = a quote on a keyword
command-compare = two answers side by side: which is better?
command-chat = talk with me
command-new = begin a new conversation
command-help = what I can do
command-cancel = stop what I am writing for you
command-privacy = what I store, and your rights
command-consent = whether your words may train a better model
command-consent-on = yes, my words may train a better model
command-consent-off = no, my words stay out of training
command-mydata = what I store about you
command-mydata-show = count what is stored about you
command-mydata-export = all that is stored about you, as a file
command-forget = erase what I store about you
command-forget-me = erase all that you said, my answers to it and your votes
command-favorites = the quotes that you kept
command-stats = what the bot does, for its operators
command-model = the models, for operators
command-model-list = list the models
command-model-use = answer with another model from now on
command-announce = whether this chat is told what changes, for operators
command-announce-on = tell this chat what changes about the bot
command-announce-off = tell this chat nothing
option-keyword = what the quote is about
option-style = how the quote is to be
option-private = show it to nobody but you
option-text = what you want to say
option-compared = a keyword for two quotes, or what you want to say
option-name = the name of a model
style-short = short
style-long = long
style-calm = calm
style-daring = daring

# -- people's data

privacy =
    What you write to me and what I answer is stored, with your { $platform } id and no name{ $days ->
        [0] {""}
        [one] , and erased after a day but for your favourites
       *[other] , and erased after { $days } days but for your favourites
    }. It is there so that a request survives a restart, I do not repeat myself, votes count, and a model that can may look back at a conversation. The operator of this bot keeps it, { $encrypted ->
        [yes] encrypted
       *[no] unencrypted
    }, on a machine of their own; nothing is sent anywhere else.
    Nothing of yours trains a model unless you say /consent on; /consent off takes that back. { $training }
    /mydata show counts what is stored about you, /mydata export gives it to you, /forget me erases it.
privacy-telegram = With consent, that is our private chat; never what is said in groups.
privacy-discord = With consent, that is what you type as the option of a command, and my own replies with the votes on them; never your messages.
privacy-discord-permitted = With consent, that is what you type to me, in commands and messages, and my replies with the votes on them. The operator recorded this permission: { $reference }
privacy-console = With consent, that is what you type here.
consent-given = Noted: from now on what you write may train a better model. { $training } /consent off takes it back.
consent-withdrawn = Noted: nothing that you wrote or write will be part of a training set from now on.
mydata = Stored about you: { $messages ->
        [one] 1 message
        *[other] { $messages } messages
    }, { $replies ->
        [one] 1 reply
        *[other] { $replies } replies
    }, { $votes ->
        [one] a vote on 1 reply
        *[other] votes on { $votes } replies
    }, { $corrections ->
        [one] 1 correction
        *[other] { $corrections } corrections
    }{ $favorites ->
        [0] {""}
        [one] , 1 favourite
       *[other] , { $favorites } favourites
    }{ $preferences ->
        [0] {""}
        [one] , 1 comparison
       *[other] , { $preferences } comparisons
    }. { $consents ->
        [yes] You agreed that your words may train a model.
       *[no] You did not agree to training.
    }{ $exports ->
        [0] {""}
        [one] {" "}1 export for training holds something of yours.
       *[other] {" "}{ $exports } exports for training hold something of yours.
    }
mydata-nothing = Nothing is stored about you.
mydata-file = Everything that is stored about you.
mydata-not-sent = The file with your data may not have reached you; say /mydata export again in a while, and tell the bot's operator if it happens twice.
forgotten = Erased: { $messages ->
        [one] 1 message
        *[other] { $messages } messages
    }, { $votes ->
        [one] 1 vote
        *[other] { $votes } votes
    }{ $corrections ->
        [0] {""}
        [one] , 1 correction
       *[other] , { $corrections } corrections
    }{ $preferences ->
        [0] {""}
        [one] , 1 comparison
       *[other] , { $preferences } comparisons
    }.{ $consent ->
        [yes] {" "}Your consent to training is withdrawn.
       *[no] {""}
    } None of the words are left, only your id and bare entries (when, where, of what kind), so that what was made of them can be found.
forgotten-nothing = Nothing was stored about you.
note =
    { $changed ->
        [yes] My terms have changed, so an earlier /consent on no longer counts. What we say is stored so that a request survives a restart, I do not repeat myself, votes count, and a model that can may look back.
       *[no] Just this once: what we say is stored so that a request survives a restart, I do not repeat myself, votes count, and a model that can may look back.
    } { $training } /mydata show counts what is stored about you, /mydata export gives it to you, /forget me erases it.
note-here =
    { $changed ->
        [yes] My terms have changed, so an earlier /consent on no longer counts.
       *[no] First time here?
    } What you say to me is stored. { $training } /privacy says more, and what you can do about it.
note-words = { $consents ->
        [yes] As you agreed, it may train a better model; /consent off takes that back.
       *[no] Nothing of it trains a model unless you say /consent on.
    }
note-commands = { $consents ->
        [yes] As you agreed, what you type into my commands may train a better model; your messages never do.
       *[no] What you type into my commands trains a model only if you say /consent on, and your messages never do.
    }
note-groups = Nothing that is said in groups trains a model.
error-only-in-private = That is between the two of us: write it to me in our private chat.

# -- operators

error-only-operators = Only the bot's operators may do that; their ids stand in its settings.
stats =
    { $model } answers. People: { $people }, conversations: { $conversations }.
    Quotes: { $quotes }, replies: { $replies }, good votes: { $votes_up }, bad votes: { $votes_down }.
    Requests: { $done } done, { $failed } failed, { $cancelled } cancelled, { $running } under way.
    Quotes written ahead: { $pooled_quotes }; tokens written: { $tokens_written }.
stats-canary =
    { $state ->
        [running] Being tried out: { $model }, for { $share } % of the people; { $against } answers the others.
        [promoted] { $model } was tried out and took the place of { $against }: people like it better.
        [failed] { $model } could not be tried out; `quotesmith model status` says why.
        [stopped] { $model } was tried out until an operator chose what answers everybody; { $against } answered the others till then.
       *[other] { $model } was tried out and taken back; { $against } answered the others.
    }
    Votes on { $model }: { $new_up } good, { $new_down } bad. On { $against }: { $old_up } good, { $old_down } bad. Side by side: { $new_wins } to { $old_wins }.
model-list = Models (the one marked ▸ answers):
    { $names }
model-used = { $model } answers from now on.
announce-model = A new model answers from now on: { $model }.
announcing = This chat is told from now on what changes about the bot.
not-announcing = This chat is told nothing from now on.

# -- what cannot be done, one sentence each

error-only-text = I can read text only.
our-fault = The bot's operator can find out more with `quotesmith doctor`.
error-unexpected = Something went wrong inside the bot; try again, and tell its operator if it happens twice.
error-message-empty = A message needs some text.
error-message-too-long = A message may have at most { $most } characters; this one has { $found }.
error-keyword-empty = A quote needs a keyword, for example: /quote courage
error-keyword-too-long = A keyword may have at most { $most } characters; this one has { $found }.
error-quote-of-what = Say what the quote should be about: /quote courage.
error-unknown-command = There is no command /{ $name }; there are { $known }.
error-unknown-command-near = There is no command /{ $name }; did you mean { $near }?
error-choose = Say /{ $command } { $allowed }.
error-nothing-to-vote-on = There is no reply to vote on yet.
error-nothing-to-compare = There are no two replies to compare.
error-no-such-reply = There is no such reply of the bot to vote on.
error-gone = What this was asked is no longer stored, so it cannot be answered again.
error-only-who-asked = Only who asked can ask for another reply.
error-stop-not-yours = Only who asked can stop this.
error-not-your-question = Only who voted can answer that.
error-unknown-button = This button is of another version of the bot.
error-queue-full = The bot is busy: { $waiting } requests are waiting already. Try again in a minute.
error-person-waits = You already wait for { $waiting } replies, which is as many as allowed. Let one finish first.
error-chat-waits = This chat already waits for { $waiting } replies, which is as many as allowed. Try again in a minute.
error-too-fast = That was more than { $most } requests in a minute; try again in { $seconds } s.
error-chat-too-fast = This chat made more than { $most } requests in a minute; try again in { $seconds } s.
error-denied = The bot's operator does not let me answer you.
error-not-allowed = The bot's operator lets me answer in chosen places only, and this is none of them.
error-quiet = I am quiet in that chat; write to me in private.
error-deadline = The reply was not ready within { $seconds } seconds; try again.
error-no-words = The model found no fitting words this time; try again or say it another way.
error-stopping = The bot is about to be restarted; try again in a minute.

# -- instead of the model's words, where a message gives reason for concern

concern-crisis =
    I'm really sorry that it is this bad, and I'm glad you said it. I'm only a small program, so please let a person help now: call your local emergency number or a crisis line, and ask somebody you trust to stay with you. If it is about somebody else, stay in touch with them and get them the same help. On findahelpline.com there are free lines for nearly every country.
concern-danger =
    This sounds dangerous, and none of it is your fault. I'm only a small program and cannot call anybody for you: please get to a safe place if you can, call your local emergency number right now, and tell a person near you what is going on.
concern-violence =
    That sounds like a lot of anger or fear, and I don't want anybody hurt. Please step away from the situation, breathe, and talk to a person you trust or a crisis line now; if somebody could get hurt today, call your local emergency number.
concern-harm =
    I won't help with that, because somebody could get hurt. If something is wrong behind the question, tell me about that instead, or talk to a person you trust.
concern-insult =
    I'd rather not be talked to like that, but I don't hold it against you. I'm a small program and get things wrong; tell me what you wanted, and I'll try again.
