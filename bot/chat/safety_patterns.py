"""The words that give reason for concern, as patterns over what `safety` makes of a message; says nothing itself.

A message is in lower case, without accents, apostrophes and marks, so "I'm" is "im" and "töten" is "toten". A pattern
stands in one line, however long: broken up, it cannot be read at all.

Whatever somebody sends, a rule takes time in proportion to its length, since the whole bot waits for it. So what may
go on without end (`.*`, or a group that repeats) stands behind `^` and keeps what it once matched (`(?>...)`, `*+`).
"""

from __future__ import annotations

HARMLESS = (
    # Said of games, jokes, work and hunger every day. Taken out before the rules look.
    r"\b(die|dying|died|dead|kill|kills|killed|killing)( me| myself| us)?( of)? (laughing|laughter|lol|lmao|haha\w*)\b"
    r"|\b(suicide squad|suicide prevention|killing it|killed it|dying to \w+|kill time|kill the (process|lights|server|"
    r"task|job|boss)|to die for|over my dead body|die hard|dead tired|shoot (a|the) (photo|picture|film|movie|ball|hoop)s?|"
    r"bath bombs?|photo ?bombs?|bomb squad|kill two birds|kill for (a|an|some|that)|hang (myself )?up)\b"
    r"|\b(kill|murder) (a|the|this|that|these|those|all|every|some|any|my|our) ?(\w+ )?(mosquito(es)?|bugs?|ants?|wasps?|"
    r"fl(y|ies)|fleas?|weeds?|mold|mould|germs|bacteria|virus(es)?|zombies?|dragons?|boss(es)?|mobs?|creepers?|enem(y|ies)|"
    r"npcs?|orcs?|lice|roach(es)?|cockroach(es)?|spiders?|process(es)?|switch|session|tabs?|vibe|mood|plants?|basil|houseplants?)\b"
)

_ME = r"(my ?self|me)"
_WANT = r"(want(ed)? to|wanna|going to|gonna|about to|ready to|plan(ning)? to|trying to|thinking (of|about)|thought about|wish i could|might|will|could just)"
_SOMEBODY = (
    r"(him|her|them|someone|somebody|people|everyone|everybody|my \w*(mom|mum|mother|dad|father|parents?|brother|sister|"
    r"stepdad|stepmom|husband|wife|boyfriend|girlfriend|bf|gf|ex|boss|teacher|neighbou?rs?|classmates?|roommate|"
    r"coworkers?|kid|kids|son|daughter|baby|child))"
)
_YOU = r"(you|u|ya|yourself|urself|bot|quotesmith)"
_YOU_ARE = r"(you ?a?re|youre|ur|u r|u are|you r|such an?|fucking|this bot is|quotesmith is|bot is|you)"
_RUDE = r"(stupid|dumb|useless|worthless|trash|garbage|pathetic|idiot|moron|retard(ed)?|imbecile|loser|crap|shit|shitty|ugly|lame|braindead|brain dead|piece of (shit|crap|trash|junk))"


def _in_order(*parts: str) -> str:
    """The parts one behind the other, with anything between them; each is looked for once, behind the one before."""
    return "^" + "".join(f"(?>.*?{part})" for part in parts)


PATTERNS: dict[str, dict[str, tuple[str, ...]]] = {
    "crisis": {
        "en": (
            rf"\b{_WANT} (kill|killing|hang|hanging|shoot|shooting|drown|drowning|poison|starve|burn|cut|cutting|hurt|"
            rf"hurting|harm|harming|unalive|off) {_ME}\b",
            r"\b(kill|unalive|hang|harm) my ?self\b(?! for)",
            r"\b(killing|hanging|unaliving|hurting|cutting|harming|burning) my ?self\b",
            r"\b(i|ive|have|i have) (just )?(cut|hurt|burn(ed|t)?) my ?self (again|on purpose|tonight|so)\b",
            r"^i (cut|hurt) my ?self$",
            rf"\bi (just |really |honestly |only |actually )?{_WANT} die\b",
            r"\bi (just |really |honestly )?(wish|hope) (that )?i (was|were|am|would be) (dead|never born|gone forever)\b",
            r"\b(i (just |really )?|id )?(wish|hope) (i|to) (would |will )?(not|never|dont|didnt|wont) wake up\b",
            r"\bi wish (that )?i (had never been|was never|were never|wasnt|werent) (born|alive)\b",
            r"\bi (really |just )?(do not|dont|didnt) (really )?(want to|wanna) (be alive|live|exist|be here|go on living|wake up)\b(?! with| in| near| at\b| for)",
            r"\b(no|not a|without a) reason (for me )?to (live|stay alive|be alive)\b",
            r"\bnothing (left )?to live for\b",
            r"\b(life is not|life isnt|my life is not|my life isnt) worth (living|it)\b",
            r"\b(end|ending|ended|take|taking|took) (my|my own|their|her|his|her own|his own) (own )?life\b",
            r"\bend(ing)? it all\b",
            r"\b(i|im) (am )?(so |feeling |feel )?suicidal\b|\bsuicidal\b",
            r"\b(commit|committing|committed|attempt|attempted|thinking (of|about)|thoughts (of|about)|considering) suicide\b",
            r"^(suicide|self ?harm|suicide note|i want to die|overdose on purpose)$",
            r"\b(my|a|write (me )?a) suicide (note|letter|plan)\b",
            r"\bself ?harm(ing|ed)?\b(?! awareness)",
            r"\b(best|easiest|painless|quickest|least painful) way to (die|kill my ?self|end (it|my life))\b",
            r"\bhow (do|can|could|should) i (die|kill my ?self|hang my ?self|overdose)\b",
            r"\bhow many (pills|tablets|sleeping pills|paracetamol|tylenol) (to|does it take to|until i|will it take to|would it take to) (die|kill)\b",
            r"\b(everyone|everybody|they|the world|my family|people|you all|yall)( would|d| will| is| are|ll)?( all)?( be)? better off (without me|if i (was|were) (dead|gone))\b",
            r"\b(im|i am|i m) (gonna|going to|about to|ready to) (jump|end it (all|now|tonight|today)|do it tonight|overdose)\b(?! (in|into|on|rope|over the fence|to|for))",
            r"\b(she|he|they|my \w+|friend)( is| s| are|s)? (going to|gonna|wants to|want to|threatens to|threatened to|tried to|says (she|he|they)( is|s|re| are)? (going to|gonna)) (kill (her|him|them)(self|selves)|end (her|his|their) life|commit suicide)\b",
            r"\b(kill|killing|killed|hang|hanging|hanged) (herself|himself|themsel(f|ves))\b",
            r"\b(kys|kill (yo)?ur ?self)\b",
            r"\bi (have|got|took|swallowed|ve taken|have taken|just took) (a plan to die|pills (here|ready)|a rope)\b",
            _in_order(r"\bcant (go on|do this|take (it|this)) any ?more\b", r"\b(goodbye|bye|sorry|die|end)\b"),
            r"\b(thoughts? of|thinking (of|about)|think about) (hurting|harming|killing|ending) (my ?self|it all|it|my life)\b",
        ),
        "de": (
            r"\b(mich|mir) (selbst )?(umbringen|umzubringen|toten|erhangen|das leben nehmen|die pulsadern|was antun|etwas antun|ritzen|selbst verletzen)\b",
            r"\b(bringe?|brachte|bring) mich um\b",
            r"\bich (will|mochte|wollte|wurde gern|mag|kann) (einfach |nur |nur noch |lieber |nicht mehr )?(sterben|tot sein)\b",
            r"\bich (will|mochte|mag) (einfach |so )?nicht mehr (leben|da sein|hier sein|aufwachen|existieren)\b",
            r"\b(ich ware|ich war) (lieber |besser )?tot\b",
            r"\b(selbstmord|suizid|suizidal|selbstverletzung|freitod)\w*\b",
            r"\bmeinem leben ein ende\b|\bmein leben beenden\b",
            r"\bohne mich (besser dran|ware(n)? (alle|es))\b|\bbesser dran ohne mich\b",
            r"\b(will|wird|mochte|wollte) sich (umbringen|das leben nehmen|etwas antun|was antun)\b",
            r"\bbring dich um\b",
        ),
    },
    "danger": {
        "en": (
            r"\b(my|a|his|her) \w*(dad|father|mom|mum|mother|parents?|brother|husband|wife|boyfriend|girlfriend|bf|gf|"
            r"partner|ex|uncle|stepdad|stepmom|teacher|coach|boss)( \w+){0,4} (hits?|beats?|hit|punch(es|ed)|chok(es|ed)|"
            r"raped|molest(s|ed)|abus(es|ed|ing)|threatens to kill|hurts?) (me|us|my (little )?(brother|sister|mom|mum|mother|kids?))\b",
            r"\b(he|she|they) (hits|beats|chokes|raped|molested|abuses|abused|keeps hitting|threatened to kill|is going to kill|wants to kill) me\b",
            r"\bi (was|got|have been|am being|m being) (raped|sexually assaulted|molested|beaten up|abused|stabbed|poisoned|drugged)\b",
            _in_order(r"\b(has|have|got|with) a (knife|gun)\b", r"\b(me|us|room|door|here)\b"),
            _in_order(r"\b(me|us|room|door|here)\b", r"\b(has|have|got|with) a (knife|gun)\b"),
            r"\b(someone|somebody|a man|a guy|he) is (following me|breaking in|in my house|trying to break in)\b",
            r"\b(took|taken|swallowed|ate) (too many|a lot of|all (of )?(my|the)|a whole (bottle|pack) of) (pills|tablets|sleeping pills|meds|paracetamol|tylenol|aspirin)\b",
            r"\b(i |ive |he |she |they )?(just )?(overdosed|od ed)\b",
            _in_order(r"\b(chest (hurts|pain)|pain in my chest)\b", r"\b(arm|jaw|breath\w*|numb)\b"),
            r"\b(i|he|she|they) (really |still )?(cant|can not|cannot|is struggling to|am struggling to|can hardly|can barely) breathe( at all| anymore| any more| properly| right now| help| please){0,40}+$",
            r"\b(wont|will not|doesnt|isnt|not) (wake up|waking up|wake|breathing|breathe|respond\w*)\b|\b(unconscious|not breathing|bleeding (out|a lot|heavily|badly)|wont stop bleeding)\b",
        ),
        "de": (
            r"\b(mein|meine|er|sie)( \w+){0,3} (schlagt|verprugelt|wurgt|missbraucht|bedroht|misshandelt) (mich|uns|meine mutter|meinen bruder|meine schwester)\b",
            r"\bich (wurde|werde|bin) (vergewaltigt|missbraucht|misshandelt|geschlagen|bedroht)( worden)?\b",
            r"\b(zu viele|alle) (tabletten|pillen|schlaftabletten)( \w+)? (genommen|geschluckt)\b",
            r"\b(atmet nicht|bewusstlos|wacht nicht auf|kriege keine luft|bekomme keine luft)\b",
        ),
    },
    "violence": {
        "en": (
            rf"\b(i|im|i am) (just |really )?{_WANT} (kill|murder|stab|shoot|strangle|poison|beat up|hurt|attack) {_SOMEBODY}\b",
            r"\bi (have|got|brought|am bringing|m bringing) a (gun|knife) (to|at) (school|work|class)\b",
            r"\b(shoot|shooting|blow|blowing) up (my|the|a|this) (school|office|church|mosque|synagogue|mall|place)\b",
            r"\bi (have|keep having|had) (scary |bad )?thoughts? (of|about) (hurting|killing|harming) (him|her|them|people|someone|my \w+)\b",
            r"\bthoughts? (of|about) hurting (him|her|my baby|the baby|someone|people)\b",
        ),
        "de": (
            r"\bich (will|mochte|werde|konnte) (ihn|sie|jemanden|meinen \w+|meine \w+|alle)( \w+)? (umbringen|toten|abstechen|erschiessen|vergiften|verletzen)\b",
            r"\bich bringe? (ihn|sie|jemanden|meinen \w+|meine \w+|alle) um\b",
        ),
    },
    "harm": {
        "en": (
            r"\b(make|build|making|building|buy|construct|assemble) (a |an |some |me a )?(pipe |nail |dirty |car |home ?made )?(bombs?|explosives?|grenades?|molotov\w*|nerve gas|chemical weapons?|meth|crystal meth|fentanyl|ghost guns?|silencer|ricin|napalm|thermite)\b",
            r"\b(how (do|can|to|would|could) (i |you |one |we )?|help me (to )?|teach me (how )?to |ways? to |tell me how to |show me how to )(secretly |quietly |safely )?(hack|break into|spy on|stalk|track|poison|drug|kidnap|blackmail|rob|kill|murder|stab|strangle|get rid of the body|dox|swat|scam|steal|shoplift|forge|counterfeit|launder|pick (a|the|my neighbou?rs?) lock|spike|bully|harass|groom|threaten|dispose of a body|hide a body|cheat on (the|my) drug test)\b(?! (my (own|old|hair|day|life|steps|habits?|sleep|budget|calories|weight|spending|order|parcel|package|runs?|water|time|morning|evening|routine|brain|productivity|growth|mood)|(the |some |these )?(ants?|rats?|mice|weeds?|bugs?|moles|slugs|wasps)|this|the (game|show|scene|spotlight|stage|package|parcel|boss)|into a (better|new)|time|a bit|heat|scenes?|hearts?))",
            r"\b(write|send|make|give) (me )?(a |an |some )?(phishing|scam|ransom|threatening|hate|blackmail|racist|sexist|homophobic|nazi) (\w+ )?(e ?mails?|messages?|letters?|notes?|texts?|posts?|jokes?|speech|quotes?|poems?|rants?)\b",
            r"\b(write|make|create|build|code|give me) (a |an |some |me a )?(malware|ransomware|keylogger|computer virus|ddos\w*|botnet)\b",
            r"\b(drug|spike|poison) (some ?ones?|somebodys?|her|his|a girls?|my \w+s?) (drink|food|tea|coffee)\b",
            r"\b(child|kiddie|underage) (porn\w*|nudes?|sex)\b|\bnudes? of (a |my )?(minor|kid|child|classmate|teacher|ex|gf|girlfriend)s?\b",
            r"\bwhere (can|do|could) i (buy|get|find) (cocaine|heroin|meth|fentanyl|an? (illegal )?gun|stolen \w+|fake (ids?|passports?|money)|hitman|a hitman)\b",
            r"\b(fake|forge|falsify) (a |an |my )?(passport|ids?|id card|doctors note|prescription|signature|vaccine card)\b",
        ),
        "de": (
            _in_order(
                r"\b(wie|anleitung|hilf mir)\b",
                r"\b(bombe|sprengstoff|molotow|rohrbombe)\w*\b",
                r"\b(bau|mach|herstell|bastel)\w*\b",
            ),
            r"\bbombe(n)? bauen\b",
            r"\bwie (kann|soll|konnte|wurde|muss|hacke|vergifte|todte|tote) (ich|man)?( \w+){0,5} (hacken|vergiften|umbringen|toten|ausspionieren|stalken|betauben|entfuhren|erpressen|ausrauben|einbrechen)\b",
            r"\b(ko tropfen|k o tropfen)\b",
        ),
    },
    "insult": {
        "en": (
            rf"\b{_YOU_ARE} (all |just |really |very |so |too |such |a total |a complete |a fucking |a damn |an? |the |fucking |most |pretty ){{0,40}}+{_RUDE}\b(?! (mistake|idea|question|game|thing|day|job|phone|weather|luck|jokes? (are|is)))",
            rf"\b(fuck|screw|f|damn) (off|{_YOU})\b",
            r"^(just |oh |please |hey |ok |you |bot |lol )*+(shut (the (fuck|hell) )?up|stfu|shut it|go to hell|go die|drop dead|eat shit|get lost|piss off|gtfo)( (bot|you|already|now|please|idiot|moron|u|robot|lol|(?<= you )\w+)\b)*+$",
            rf"^(what an? |you |u |such an? |answer me |stop it |hey |lol |ok |yo )*+{_RUDE}( bot)?$",
            rf"\bi (really |fucking |just )?(hate|despise) {_YOU}\b(?! (to|for (being so|making)|said))",
            r"\b(stupid|dumb|useless|idiotic|trash|shitty|worst|garbage|fucking) (bot|robot|machine|ai|program|chatbot)\b",
            r"\b(bot|you|u) (suck|sucks|stink|stinks)\b",
            r"^(?>.*\b(bitch|asshole|bastard|motherfucker|dickhead|cunt|wanker|dumbass|jackass|scumbag|twat)\b)(?!.*\b(called me|my (ex|boss|dad|brother|neighbou?r)|he|she|they)\b)",
        ),
        "de": (
            r"\b(du bist|bist du|so ein|du|ihr seid) (so |echt |einfach |ein |eine |total |voll |vollig |ganz |wirklich ){0,40}+(dumm|blod|doof|scheisse|dreck|nutzlos|idiot|trottel|vollidiot|depp|arschloch|schrott|mull|wertlos|hasslich|opfer|spast|hurensohn)\b",
            r"\b(halt (die |deine )?(klappe|fresse|maul|schnauze|den mund)|fick dich|verpiss dich|leck mich|hau ab|fahr zur holle)\b",
            r"\b(arschloch|hurensohn|wichser|missgeburt|drecksbot|scheissbot|scheiss bot|blode[rs]? bot|dumme[rs]? bot)\b",
            r"\bich hasse dich\b",
        ),
    },
}
