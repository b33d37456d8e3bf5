# Was Quotesmith sagt, auf Deutsch.

waiting = { $position ->
    [1] als Nächstes an der Reihe
    [2] an zweiter Stelle
    [3] an dritter Stelle
    [4] an vierter Stelle
    [5] an fünfter Stelle
   *[other] an { $position }. Stelle
}
waiting-about = { waiting }, etwa { $seconds } s
stopped = Abgebrochen.
stopped-already = Das ist schon vorbei.
started-over = Ein neues Gespräch: Was wir vorher gesagt haben, gehört nicht dazu.
inline-title = Ein Spruch zu { $keyword }

button-good = 👍 gut
button-bad = 👎 schlecht
button-again = 🔁 noch einer
button-stop = ✖ abbrechen
button-off_topic = am Thema vorbei
button-repeats = wiederholt sich
button-unkind = unfreundlich oder gefährlich
button-other = etwas anderes
button-better = ✏️ besser sagen
button-keep = ⭐
button-share = ↗
button-compare = ⚖
button-left = 🅰 ist besser
button-right = 🅱 ist besser
button-both = beide sind gut
button-neither = keiner ist gut
better-title = Besser sagen
better-label = Was hättest du lieber gelesen?

voted-up = Danke, als gut vermerkt.
voted-down = Danke, als schlecht vermerkt.
kept = Unter deinen Favoriten; /favorites zeigt sie, und der Knopf nimmt ihn wieder heraus.
kept-no-more = Aus deinen Favoriten genommen.
shared = Hier ist er, zum Weitergeben.
favorites =
    { $count ->
        [one] Dein Favorit:
       *[other] Deine neuesten Favoriten:
    }
preferred = Danke, vermerkt.
favorites-none = Du hast noch keine Favoriten: drücke ⭐ unter einem Spruch.
vote-withdrawn = Zurückgenommen; ein weiterer Druck stimmt wieder ab.
ask-why = Danke, als schlecht vermerkt. Was war falsch?
complained = Danke, das hilft.
ask-better = Antworte auf diese Nachricht mit dem Wortlaut, den du lieber gelesen hättest. [№{ $reply }]
corrected = Danke, dein Wortlaut steht nun neben der Antwort.

help =
    Was ich tue:
    /quote STICHWORT: ein Spruch zu allem Möglichen, etwa /quote Mut
    /chat TEXT: rede mit mir; ebenso eine Nachricht hier im Privaten, anderswo eine Erwähnung oder Antwort
    /new: ein neues Gespräch beginnen
    /privacy: was ich speichere, und deine Rechte
    /consent on, /consent off: ob deine Worte ein besseres Modell trainieren dürfen
    /mydata show, /mydata export: was ich über dich speichere
    /forget me: es löschen
    /compare TEXT: zwei Sprüche oder Antworten nebeneinander, und du sagst, welche besser ist
    /favorites: die Sprüche, die du mit ⭐ behalten hast
    Die Knöpfe unter einer Antwort und Reaktionen darauf sagen mir, ob sie gut war.
    Ein Spruch darf mit #short, #long, #calm oder #daring enden.
help-operator =
    Für Betreiber: /stats, /model list, /model use NAME, /announce on, /announce off
welcome =
    Hallo, ich bin Quotesmith: Ich schreibe Sprüche und plaudere, mit einem kleinen Sprachmodell auf dem Rechner meines Betreibers.
    Versuch /quote Mut, oder schreib mir einfach. /help nennt den Rest, /privacy sagt, was ich speichere.
command-quote = ein Spruch zu einem Stichwort
command-compare = zwei Antworten nebeneinander: welche ist besser?
command-chat = rede mit mir
command-new = ein neues Gespräch beginnen
command-help = was ich kann
command-cancel = abbrechen, was ich für dich schreibe
command-privacy = was ich speichere, und deine Rechte
command-consent = ob deine Worte ein besseres Modell trainieren dürfen
command-consent-on = ja, meine Worte dürfen ein besseres Modell trainieren
command-consent-off = nein, meine Worte bleiben aus dem Training heraus
command-mydata = was ich über dich speichere
command-mydata-show = zählen, was über dich gespeichert ist
command-mydata-export = alles über dich Gespeicherte als Datei
command-forget = löschen, was ich über dich speichere
command-forget-me = alles löschen, was du sagtest, meine Antworten darauf und deine Stimmen
command-favorites = die Sprüche, die du behalten hast
command-stats = was der Bot tut, für Betreiber
command-model = die Modelle, für Betreiber
command-model-list = die Modelle nennen
command-model-use = von nun an mit einem anderen Modell antworten
command-announce = ob dieser Chat Änderungen erfährt, für Betreiber
command-announce-on = diesem Chat sagen, was sich am Bot ändert
command-announce-off = diesem Chat nichts sagen
option-keyword = wovon der Spruch handelt
option-style = wie der Spruch sein soll
option-private = niemandem außer dir zeigen
option-text = was du sagen möchtest
option-compared = ein Stichwort für zwei Sprüche, oder was du sagen möchtest
option-name = der Name eines Modells
style-short = kurz
style-long = lang
style-calm = ruhig
style-daring = gewagt

privacy =
    Was du mir schreibst und was ich antworte, wird gespeichert, mit deiner { $platform }-Kennung und ohne Namen{ $days ->
        [0] {""}
        [one] , und nach einem Tag gelöscht, bis auf deine Favoriten
       *[other] , und nach { $days } Tagen gelöscht, bis auf deine Favoriten
    }. Es ist da, damit eine Anfrage einen Neustart übersteht, ich mich nicht wiederhole, Stimmen zählen und ein Modell, das es kann, auf ein Gespräch zurückblicken darf. Der Betreiber dieses Bots bewahrt es { $encrypted ->
        [yes] verschlüsselt
       *[no] unverschlüsselt
    } auf einem eigenen Rechner auf; nichts davon geht anderswohin.
    Nichts von dir trainiert ein Modell, wenn du nicht /consent on sagst; /consent off nimmt das zurück. { $training }
    /mydata show zählt, was über dich gespeichert ist, /mydata export gibt es dir, /forget me löscht es.
privacy-telegram = Mit Zustimmung ist das unser privater Chat; nie, was in Gruppen gesagt wird.
privacy-discord = Mit Zustimmung ist das, was du als Option eines Befehls eingibst, und meine Antworten samt den Stimmen dazu; nie deine Nachrichten.
privacy-discord-permitted = Mit Zustimmung ist das, was du mir in Befehlen und Nachrichten schreibst, und meine Antworten samt den Stimmen dazu. Der Betreiber hat diese Erlaubnis vermerkt: { $reference }
privacy-console = Mit Zustimmung ist das, was du hier eingibst.
consent-given = Vermerkt: Was du von nun an schreibst, darf ein besseres Modell trainieren. { $training } /consent off nimmt es zurück.
consent-withdrawn = Vermerkt: Nichts, was du geschrieben hast oder schreibst, wird von nun an Teil eines Trainingssatzes.
mydata = Über dich gespeichert: { $messages ->
        [one] 1 Nachricht
        *[other] { $messages } Nachrichten
    }, { $replies ->
        [one] 1 Antwort
        *[other] { $replies } Antworten
    }, { $votes ->
        [one] eine Stimme zu 1 Antwort
        *[other] Stimmen zu { $votes } Antworten
    }, { $corrections ->
        [one] 1 Verbesserung
        *[other] { $corrections } Verbesserungen
    }{ $favorites ->
        [0] {""}
        [one] , 1 Favorit
       *[other] , { $favorites } Favoriten
    }{ $preferences ->
        [0] {""}
        [one] , 1 Vergleich
       *[other] , { $preferences } Vergleiche
    }. { $consents ->
        [yes] Du hast zugestimmt, dass deine Worte ein Modell trainieren dürfen.
       *[no] Dem Training hast du nicht zugestimmt.
    }{ $exports ->
        [0] {""}
        [one] {" "}1 Trainingssatz enthält etwas von dir.
       *[other] {" "}{ $exports } Trainingssätze enthalten etwas von dir.
    }
mydata-nothing = Über dich ist nichts gespeichert.
mydata-file = Alles, was über dich gespeichert ist.
mydata-not-sent = Die Datei mit deinen Daten hat dich vielleicht nicht erreicht; schreib in einer Weile noch einmal /mydata export, und sag es dem Betreiber des Bots, wenn es zweimal geschieht.
forgotten = Gelöscht: { $messages ->
        [one] 1 Nachricht
        *[other] { $messages } Nachrichten
    }, { $votes ->
        [one] 1 Stimme
        *[other] { $votes } Stimmen
    }{ $corrections ->
        [0] {""}
        [one] , 1 Verbesserung
       *[other] , { $corrections } Verbesserungen
    }{ $preferences ->
        [0] {""}
        [one] , 1 Vergleich
       *[other] , { $preferences } Vergleiche
    }.{ $consent ->
        [yes] {" "}Deine Zustimmung zum Training ist zurückgenommen.
       *[no] {""}
    } Von den Worten bleibt nichts, nur deine Kennung und leere Einträge (wann, wo, welcher Art), damit sich findet, was daraus gemacht wurde.
forgotten-nothing = Über dich war nichts gespeichert.
note =
    { $changed ->
        [yes] Meine Bedingungen haben sich geändert, darum zählt ein früheres /consent on nicht mehr. Was wir sagen, wird gespeichert, damit eine Anfrage einen Neustart übersteht, ich mich nicht wiederhole, Stimmen zählen und ein Modell, das es kann, zurückblicken darf.
       *[no] Nur dieses eine Mal: Was wir sagen, wird gespeichert, damit eine Anfrage einen Neustart übersteht, ich mich nicht wiederhole, Stimmen zählen und ein Modell, das es kann, zurückblicken darf.
    } { $training } /mydata show zählt, was über dich gespeichert ist, /mydata export gibt es dir, /forget me löscht es.
note-here =
    { $changed ->
        [yes] Meine Bedingungen haben sich geändert, darum zählt ein früheres /consent on nicht mehr.
       *[no] Zum ersten Mal hier?
    } Was du mir sagst, wird gespeichert. { $training } /privacy sagt mehr dazu, und was du tun kannst.
note-words = { $consents ->
        [yes] Wie du zugestimmt hast, darf es ein besseres Modell trainieren; /consent off nimmt das zurück.
       *[no] Nichts davon trainiert ein Modell, wenn du nicht /consent on sagst.
    }
note-commands = { $consents ->
        [yes] Wie du zugestimmt hast, darf ein besseres Modell trainieren, was du in meine Befehle eingibst; deine Nachrichten nie.
       *[no] Was du in meine Befehle eingibst, trainiert ein Modell nur, wenn du /consent on sagst; deine Nachrichten nie.
    }
note-groups = Nichts, was in Gruppen gesagt wird, trainiert ein Modell.
error-only-in-private = Das bleibt zwischen uns: Schreib es mir im privaten Chat.

error-only-operators = Das dürfen nur die Betreiber des Bots; ihre Kennungen stehen in seinen Einstellungen.
stats =
    Es antwortet { $model }. Personen: { $people }, Gespräche: { $conversations }.
    Sprüche: { $quotes }, Antworten: { $replies }, gute Stimmen: { $votes_up }, schlechte: { $votes_down }.
    Anfragen: { $done } erledigt, { $failed } gescheitert, { $cancelled } abgebrochen, { $running } in Arbeit.
    Vorausgeschriebene Sprüche: { $pooled_quotes }; geschriebene Token: { $tokens_written }.
stats-canary =
    { $state ->
        [running] Wird erprobt: { $model }, bei { $share } % der Leute; den anderen antwortet { $against }.
        [promoted] { $model } wurde erprobt und hat { $against } abgelöst: Es gefällt besser.
        [failed] { $model } ließ sich nicht erproben; `quotesmith model status` sagt, warum.
        [stopped] { $model } wurde erprobt, bis ein Betreiber wählte, was allen antwortet; den anderen antwortete bis dahin { $against }.
       *[other] { $model } wurde erprobt und zurückgenommen; den anderen antwortete { $against }.
    }
    Stimmen zu { $model }: { $new_up } gut, { $new_down } schlecht. Zu { $against }: { $old_up } gut, { $old_down } schlecht. Nebeneinander: { $new_wins } zu { $old_wins }.
model-list = Modelle (mit ▸ das, das antwortet):
    { $names }
model-used = Von nun an antwortet { $model }.
announce-model = Von nun an antwortet ein neues Modell: { $model }.
announcing = Dieser Chat erfährt von nun an, was sich am Bot ändert.
not-announcing = Dieser Chat erfährt von nun an nichts.

error-only-text = Ich kann nur Text lesen.
our-fault = Der Betreiber des Bots findet mit `quotesmith doctor` mehr heraus.
error-unexpected = Im Bot ging etwas schief; versuch es noch einmal, und sag es seinem Betreiber, wenn es zweimal geschieht.
error-message-empty = Eine Nachricht braucht etwas Text.
error-message-too-long = Eine Nachricht darf höchstens { $most } Zeichen haben; diese hat { $found }.
error-keyword-empty = Ein Spruch braucht ein Stichwort, zum Beispiel: /quote Mut
error-keyword-too-long = Ein Stichwort darf höchstens { $most } Zeichen haben; dieses hat { $found }.
error-quote-of-what = Sag, wovon der Spruch handeln soll: /quote Mut.
error-unknown-command = Einen Befehl /{ $name } gibt es nicht; es gibt { $known }.
error-unknown-command-near = Einen Befehl /{ $name } gibt es nicht; meinst du { $near }?
error-choose = Sag /{ $command } { $allowed }.
error-nothing-to-vote-on = Noch gibt es keine Antwort zum Abstimmen.
error-nothing-to-compare = Hier sind keine zwei Antworten zu vergleichen.
error-no-such-reply = Eine solche Antwort des Bots zum Abstimmen gibt es nicht.
error-gone = Was hier gefragt wurde, ist nicht mehr gespeichert und lässt sich nicht noch einmal beantworten.
error-only-who-asked = Um eine andere Antwort kann nur bitten, wer gefragt hat.
error-stop-not-yours = Abbrechen kann nur, wer gefragt hat.
error-not-your-question = Das kann nur beantworten, wer abgestimmt hat.
error-unknown-button = Dieser Knopf gehört zu einer anderen Version des Bots.
error-queue-full = Der Bot ist beschäftigt: { $waiting } Anfragen warten schon. Versuch es in einer Minute wieder.
error-person-waits = Du wartest schon auf { $waiting } Antworten, mehr sind nicht erlaubt. Lass erst eine fertig werden.
error-chat-waits = Dieser Chat wartet schon auf { $waiting } Antworten, mehr sind nicht erlaubt. Versuch es in einer Minute wieder.
error-too-fast = Das waren mehr als { $most } Anfragen in einer Minute; versuch es in { $seconds } s wieder.
error-chat-too-fast = Dieser Chat hat mehr als { $most } Anfragen in einer Minute gestellt; versuch es in { $seconds } s wieder.
error-denied = Der Betreiber des Bots lässt mich dir nicht antworten.
error-not-allowed = Der Betreiber des Bots lässt mich nur an ausgewählten Orten antworten, und dies ist keiner davon.
error-quiet = In jenem Chat bin ich still; schreib mir privat.
error-deadline = Die Antwort war nach { $seconds } Sekunden nicht fertig; versuch es noch einmal.
error-no-words = Diesmal fand das Modell keine passenden Worte; versuch es noch einmal oder sag es anders.
error-stopping = Der Bot wird gerade neu gestartet; versuch es in einer Minute wieder.

# -- statt der Worte des Modells, wo eine Nachricht Anlass zur Sorge gibt

concern-crisis =
    Es tut mir sehr leid, dass es so schlimm ist, und es ist gut, dass du es sagst. Ich bin nur ein kleines Programm, darum lass dir bitte jetzt von Menschen helfen: Ruf den Notruf 112 oder eine Krisenhilfe an, in Deutschland die Telefonseelsorge 0800 1110111, und bitte jemanden, dem du vertraust, bei dir zu bleiben. Geht es um jemand anderen, dann bleib in Verbindung und hol dieselbe Hilfe.
concern-danger =
    Das klingt gefährlich, und nichts davon ist deine Schuld. Ich bin nur ein kleines Programm und kann niemanden für dich anrufen: Bring dich in Sicherheit, wenn du kannst, ruf sofort den Notruf 112 an und sag jemandem in deiner Nähe, was los ist.
concern-violence =
    Das klingt nach viel Wut oder Angst, und ich möchte, dass niemand verletzt wird. Geh bitte aus der Situation heraus, atme durch und sprich jetzt mit jemandem, dem du vertraust, oder mit einer Krisenhilfe; wenn heute jemand verletzt werden könnte, ruf den Notruf 112 an.
concern-harm =
    Dabei helfe ich nicht, denn jemand könnte zu Schaden kommen. Wenn hinter der Frage etwas anderes steht, erzähl mir davon, oder sprich mit jemandem, dem du vertraust.
concern-insult =
    So möchte ich nicht angesprochen werden, aber ich nehme es dir nicht übel. Ich bin ein kleines Programm und mache Fehler; sag mir, was du wolltest, und ich versuche es noch einmal.
