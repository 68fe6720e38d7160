"""Replies of models as they are drawn for comparisons of scoring rules: real styles, mutations of them, and noise."""
import random
import string

WORDS = ("the a an is it in image picture shows because answer option correct choice so therefore final result cat dog "
         "yes no not know nothing maybe I think believe see would and or of to with for from final Answer The").split()
OPTIONS = [["cat", "dog", "fish", "bird"], ["10", "1", "3.5", "100"], ["Yes", "No"], ["3/11", "8/11", "6/11", "3/5"],
           ["A red car", "a car", "Red", "The blue one"], ["None of the above", "dogs", "Dog", "A", "B"],
           ["北京", "上海", "广州", "深圳"], ["0.5", "5", "50%", "5,000"], ["apple pie", "İstanbul", "Straße", "ΟΔΟΣ"]]
LETTER_STYLES = ["{L}", "{L}.", "({L})", "{L})", "{l}", "({l})", " {L}", "{L} ", "{L}\n", "\n{L}", "{L}:", "{L},", "[{L}]",
                 "{{{L}}}", "<{L}>", "\"{L}\"", "'{L}'", "**{L}**", "\\boxed{{{L}}}", "{L}. {t}", "{L}) {t}", "({L}) {t}",
                 "{L}: {t}", "{t}", "{T}", "The answer is {L}", "The answer is {L}.", "The answer is ({L}).",
                 "The correct answer is {L}", "the ANSWER IS {l}", "Answer: {L}", "Answer:{L}", "answer is: {L}",
                 "Option {L}", "option {l}", "I choose {L}", "My answer is **{L}**", "答案是{L}", "选{L}", "정답은 {L}",
                 "{L} or {M}", "{L}/{M}", "{L}, {M}", "({L}) or ({M})", "Both {L} and {M}", "{L} is wrong, so {M}",
                 "Between {L} and {M}, the answer is {M}", "A {t} is shown in this picture I think",
                 "The animal here is clearly a {t} I think", "{L}\n\nExplanation: {w}", "{w} {L}", "{L} {w}", "{w} ({L}) {w}",
                 "{w}. The answer is {L}. {w}", "{w} {t} {w}", "Answers {L}", "answer - ({l})", "Final Answer: {L}\n",
                 "Sorry, I can't help with images of people yet.", "Cannot determine the answer", "Z", "", " ", "USA", "DNA"]
YES_NO_STYLES = ["Yes", "No", "yes", "no", "YES", "NO", "Yes.", "No.", "yes,", "Yes, it is", "No, there is not.", "not sure",
                 "Not a dog", "  yes", "no\n", "**Yes**", "\"No\"", "y", "N", "Yes-it-is", "Nope", "know", "noon", "Yes. No.",
                 "yes,no", "There is no dog.", "I say yes", "{w}", "{w} yes {w}", "{w}. No {w}", "Yes,no doubt", ".yes", ""]
NUMBER_STYLES = ["{n}", " {n}\n", "+{n}", "-{n}", "{n}%", "{n} %", "${n}", "{n}.", ".{i}", "{i}.", "{i},000", "{i}_000", "{i}e3",
                 "{i}E-2", "0x{i}", "{n} apples", "about {n} meters", "x = {n}", "The answer is {n}", "so x is {i}\nthus {n}",
                 "the value = -{n}", "{i} million", "[{i}, {i}]", "inf", "-inf", "nan", "infinity", "٥", "１２", "{n}%%", "{i}__0",
                 "1/{i}", "{n} or {i}", "final result is {n}. {w}", "therefore = {n}", "", "%", "(B) {n}", "{i}0"]
STRANGE = "ſKİı\u00a0\u3000\u200b\x1c\x85ßẞΣς．：（）ＡＢ。，é🙂_-*#\t\n'\"`"


def words(rng, most=12):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, most)))


def number(rng):
    return rng.choice([str(rng.randint(0, 30)), str(rng.randint(0, 3000)), "%.2f" % rng.uniform(0, 30), "%.1f" % rng.uniform(0, 9),
                       repr(rng.uniform(0, 2)), "%.3f" % rng.uniform(0, 3), str(rng.randint(0, 10) / 8)])


def mutate(rng, text):
    """One small edit: drop, double, swap of case, or a strange character."""
    if not text or rng.random() < 0.7:
        return text
    place = rng.randrange(len(text) + 1)
    kind = rng.randrange(5)
    if kind == 0:
        return text[:place] + text[place + 1:]
    if kind == 1:
        return text[:place] + rng.choice(STRANGE) + text[place:]
    if kind == 2:
        return text[:place] + text[place:].swapcase()
    if kind == 3:
        return text[:place] + rng.choice(string.punctuation + " ") + text[place:]
    return text + " " + words(rng)


def fill(rng, style, options):
    letters = string.ascii_uppercase[:max(len(options), 1)]
    first, second = rng.choice(letters), rng.choice(letters)
    text = rng.choice(options) if options else words(rng, 2)
    return style.format(L=first, l=first.lower(), M=second, t=text, T=text.upper(), w=words(rng), n=number(rng),
                        i=rng.randint(0, 40))


def long_reply(rng):
    return "\n".join(words(rng, 30) + rng.choice([".", "", "!", " (B)", " =", " answer is D"]) for _ in range(rng.randint(5, 40)))


def choice_reply(rng, options):
    if rng.random() < 0.02:
        return long_reply(rng)
    return mutate(rng, fill(rng, rng.choice(LETTER_STYLES), options))


def yes_no_reply(rng):
    return mutate(rng, fill(rng, rng.choice(YES_NO_STYLES), []))


def number_reply(rng):
    return mutate(rng, fill(rng, rng.choice(NUMBER_STYLES), []))


def text_reply(rng, golds):
    """One of the golds, edited a few times, or something else."""
    text = rng.choice(golds)
    for _ in range(rng.randint(0, 4)):
        text = mutate(rng, text)
    return rng.choice([text, text, text.upper(), "  " + text, text.replace(" ", "  "), words(rng), number_reply(rng), ""])


def any_reply(rng):
    return rng.choice([lambda: choice_reply(rng, OPTIONS[0]), lambda: yes_no_reply(rng), lambda: number_reply(rng)])()


GOLD_TEXTS = ["University of California", "January 8, 1993", "1/8/93", "abcd", "it's 10 o'clock", "Ünïcode", "the dog", "two dogs",
              "dont know", "3.5", "1,000 apples", "none", "ＡＢＣ", "x^2 + y^2", "Straße", "ΟΔΟΣ", "a  b", "Coca-Cola", "U.S.A", "..."]
