import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.ResolverStyle;
import java.time.format.SignStyle;
import java.time.temporal.ChronoField;
import java.time.temporal.TemporalAccessor;
import java.time.temporal.TemporalQueries;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The oracle of date formats: what the JDK's DateTimeFormatter reads, as rows of (pattern, year pivot, text, value).
 *
 * <p>Run by hand: {@code java tests/oracle/Dates.java > tests/golden/dates.tsv}. The value is ISO 8601 with nanoseconds and, where
 * the pattern has an offset, the offset in seconds; {@code -} means that the text is refused. Locale.ENGLISH, ResolverStyle.STRICT,
 * {@code y} is the proleptic year. The deliberate differences of Penstock are in {@link #append}: a single letter reads no more
 * digits than its largest value has, and names are read in any letter case; and in {@link #read}: years are 1 to 9999.
 */
public final class Dates {
    static final String[] DATES = {
        "dd.MM.yyyy", "dd/MM/yyyy", "MM/dd/yyyy", "yyyy/MM/dd", "yyyy-MM-dd", "uuuu-MM-dd", "dd-MM-yyyy", "MM-dd-yyyy", "yyyyMMdd",
        "ddMMyyyy", "MMddyyyy", "yyMMdd", "ddMMyy", "dd.MM.yy", "dd/MM/yy", "MM/dd/yy", "yy-MM-dd", "d.M.yy", "d/M/yy", "d.M.yyyy",
        "d/M/yyyy", "M/d/yyyy", "d-M-y", "y-M-d", "yMMdd", "ddMMy", "yyyy.DDD", "yyyyDDD", "yyDDD", "yyyy-D", "yyyy-DD", "yDDD", "yyyy-MM-dd DDD",
        "dd-MMM-yyyy", "dd MMM yyyy", "d MMM yyyy", "MMM d, yyyy", "MMM dd, yyyy", "MMMM d, yyyy", "d. MMMM yyyy", "dd-LLL-yy",
        "d LLLL yyyy", "dMMMyyyy", "ddMMMyy", "EEE, dd MMM yyyy", "EEEE, d MMMM yyyy", "E yyyy-MM-dd", "yyyy'Year'MM'Month'dd",
        "dd'o''clock' MM yyyy", "dd''MM''yyyy", "yyyy MM dd", "yyyy  MM  dd", "yyyy-MM-dd ", "yyyy-MM-ddXXX", "yyyyMMddX", "yyyy年M月d日",
    };
    static final String[] TIMESTAMPS = {
        "dd.MM.yyyy HH:mm", "dd.MM.yyyy HH:mm:ss", "d.M.yyyy H:mm", "dd.MM.yyyy, HH:mm", "dd/MM/yyyy hh:mm a", "MM/dd/yyyy hh:mm:ss a",
        "M/d/yyyy h:mm:ss a", "M/d/yy h:mma", "yyyyMMddHHmmss", "yyyyMMddHHmm", "yyyyMMddHHmmssSSS", "yyMMddHHmmss",
        "yyyy-MM-dd'T'HH:mm:ssXXX", "yyyy-MM-ddTHH:mm:ss", "yyyy-MM-ddTHH:mm:ssZ", "yyyy-MM-dd HH:mm:ss.SSS", "yyyy-MM-dd HH:mm:ss,SSSSSS",
        "yyyy-MM-dd HH:mm:ss.SSSSSSSSS", "yyyy-MM-dd HH:mm:ss.S", "yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        "yyyyMMdd'T'HHmmssX", "yyyy-MM-dd HH:mm X", "yyyy-MM-dd HH:mm XX", "yyyy-MM-dd HH:mm XXXX", "yyyy-MM-dd HH:mm XXXXX",
        "yyyy-MM-dd HH:mm x", "yyyy-MM-dd HH:mm xx", "yyyy-MM-dd HH:mm xxx", "yyyy-MM-dd HH:mm xxxx", "yyyy-MM-dd HH:mm xxxxx",
        "yyyy-MM-dd HH:mm ZZ", "yyyy-MM-dd HH:mm ZZZZZ", "EEE, dd MMM yyyy HH:mm:ss Z", "EEE MMM dd HH:mm:ss yyyy", "yyyy-MM-dd HH",
        "yyyy/MM/dd HH:mmXXX", "yyyy-MM-dd h a", "yyyy.DDD HHmmss", "XXX yyyy-MM-dd HH:mm",
    };
    static final String[] TIMES = {
        "HH:mm", "HH:mm:ss", "HHmm", "HHmmss", "Hmm", "H:mm", "H:m:s", "HH:mm:ss.SSS", "HHmmssSSS", "hh:mm a", "h:mma", "hmma", "HH",
        "'T'HH", "a hh:mm:ss", "HH.mm 'h'",
    };
    static final Map<String, int[]> PIVOTS = Map.of("dd.MM.yy", new int[] {2000, 1950, 1923, 1, 9900}, "yyMMdd", new int[] {2000, 1999});

    /** A letter that is repeated, or a literal (count 0). */
    record Token(char letter, int count, String literal) {}

    public static void main(String[] arguments) {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        out.println("# pattern, first year of `yy`, text, value. Made by tests/oracle/Dates.java; `-`: refused.");
        List<String> patterns = new ArrayList<>(List.of(DATES));
        patterns.addAll(List.of(TIMESTAMPS));
        patterns.addAll(List.of(TIMES));
        for (String pattern : patterns) {
            for (int pivot : PIVOTS.getOrDefault(pattern, new int[] {2000})) {
                List<Token> tokens = tokens(pattern);
                DateTimeFormatter formatter = formatter(tokens, pivot);
                boolean hasDate = tokens.stream().anyMatch(token -> "yu".indexOf(token.letter) >= 0 && token.count > 0);
                boolean hasOffset = tokens.stream().anyMatch(token -> "XxZ".indexOf(token.letter) >= 0 && token.count > 0);
                for (String text : texts(tokens)) {
                    out.println(pattern + "\t" + pivot + "\t" + text + "\t" + read(formatter, text, hasDate, hasOffset));
                }
            }
        }
        out.flush();
    }

    static List<Token> tokens(String pattern) {
        List<Token> tokens = new ArrayList<>();
        int at = 0;
        while (at < pattern.length()) {
            char letter = pattern.charAt(at);
            if (letter == '\'') {
                StringBuilder literal = new StringBuilder();
                for (at++; ; at++) {
                    boolean isQuote = pattern.charAt(at) == '\'';
                    if (isQuote && (at + 1 >= pattern.length() || pattern.charAt(at + 1) != '\'')) {
                        break;
                    }
                    at += isQuote ? 1 : 0;
                    literal.append(pattern.charAt(at));
                }
                at++;
                tokens.add(new Token('\'', 0, literal.isEmpty() ? "'" : literal.toString()));
            } else if (letter < 128 && Character.isLetter(letter) && letter != 'T') {
                int start = at;
                while (at < pattern.length() && pattern.charAt(at) == letter) {
                    at++;
                }
                tokens.add(new Token(letter, at - start, null));
            } else {
                tokens.add(new Token('\'', 0, String.valueOf(letter)));
                at++;
            }
        }
        return tokens;
    }

    static DateTimeFormatter formatter(List<Token> tokens, int pivot) {
        DateTimeFormatterBuilder builder = new DateTimeFormatterBuilder();
        tokens.forEach(token -> append(builder, token, pivot));
        return builder.toFormatter(Locale.ENGLISH).withResolverStyle(ResolverStyle.STRICT);
    }

    static void append(DateTimeFormatterBuilder builder, Token token, int pivot) {
        if (token.count == 0) {
            builder.appendLiteral(token.literal);
            return;
        }
        String run = String.valueOf(token.letter == 'y' ? 'u' : token.letter).repeat(token.count);
        ChronoField single = switch (token.letter) {
            case 'y', 'u' -> ChronoField.YEAR;
            case 'M', 'L' -> ChronoField.MONTH_OF_YEAR;
            case 'd' -> ChronoField.DAY_OF_MONTH;
            case 'D' -> ChronoField.DAY_OF_YEAR;
            case 'H' -> ChronoField.HOUR_OF_DAY;
            case 'h' -> ChronoField.CLOCK_HOUR_OF_AMPM;
            case 'm' -> ChronoField.MINUTE_OF_HOUR;
            case 's' -> ChronoField.SECOND_OF_MINUTE;
            default -> null;
        };
        boolean isName = "Ea".indexOf(token.letter) >= 0 || "ML".indexOf(token.letter) >= 0 && token.count > 2;
        if (token.count == 1 && single != null) {
            int most = single == ChronoField.YEAR ? 4 : single == ChronoField.DAY_OF_YEAR ? 3 : 2;
            builder.appendValue(single, 1, most, SignStyle.NORMAL);
        } else if (run.equals("uu")) {
            builder.appendValueReduced(ChronoField.YEAR, 2, 2, pivot);
        } else if (isName) {
            builder.parseCaseInsensitive().appendPattern(run).parseCaseSensitive();
        } else {
            builder.appendPattern(run);
        }
    }

    static String read(DateTimeFormatter formatter, String text, boolean hasDate, boolean hasOffset) {
        try {
            TemporalAccessor read = formatter.parse(text);
            LocalTime time = read.query(TemporalQueries.localTime());
            if (!hasDate) {
                return time == null ? "-" : nanos(time);
            }
            LocalDate date = read.query(TemporalQueries.localDate());
            if (date == null || date.getYear() < 1 || date.getYear() > 9999) {
                return "-";
            }
            String value = date + "T" + nanos(time == null ? LocalTime.MIDNIGHT : time);
            int seconds = hasOffset ? ZoneOffset.ofTotalSeconds(read.get(ChronoField.OFFSET_SECONDS)).getTotalSeconds() : 0;
            return hasOffset ? value + " " + seconds : value;
        } catch (DateTimeException refused) {
            return "-";
        }
    }

    static String nanos(LocalTime time) {
        return String.format("%02d:%02d:%02d.%09d", time.getHour(), time.getMinute(), time.getSecond(), time.getNano());
    }

    /** Texts that are written by the pattern, nearly so, or not at all. */
    static Set<String> texts(List<Token> tokens) {
        Set<String> texts = new LinkedHashSet<>();
        List<Map<Integer, String>> changes = new ArrayList<>();
        changes.add(Map.of());
        for (int index = 0; index < tokens.size(); index++) {
            for (String other : others(tokens.get(index))) {
                changes.add(Map.of(index, other));
            }
        }
        changes.addAll(dates(tokens));
        changes.forEach(change -> texts.add(write(tokens, change, tokens.size())));
        String plain = write(tokens, Map.of(), tokens.size());
        for (int count = 0; count < tokens.size(); count++) {
            texts.add(write(tokens, Map.of(), count));
        }
        for (String other : List.of(" " + plain, plain + " ", plain + "x", plain + "0", plain + "Z", plain.replace(" ", ""),
                plain.toLowerCase(Locale.ROOT), plain.toUpperCase(Locale.ROOT), "2024-01-31", "31.01.24", "24-01-31", "31/01/24")) {
            texts.add(other);
        }
        return texts;
    }

    /** Days that exist or not, by their year, month and day. */
    static List<Map<Integer, String>> dates(List<Token> tokens) {
        List<Map<Integer, String>> changes = new ArrayList<>();
        String[][] dates = {{"2024", "02", "29"}, {"2023", "02", "29"}, {"1900", "02", "29"}, {"2000", "02", "29"}, {"2024", "02", "30"},
            {"2024", "02", "31"}, {"2024", "04", "31"}, {"2024", "12", "31"}, {"0001", "01", "01"}, {"9999", "12", "31"}};
        for (String[] date : dates) {
            Map<Integer, String> change = new LinkedHashMap<>();
            for (int index = 0; index < tokens.size(); index++) {
                Token token = tokens.get(index);
                if (token.count == 4 && "yu".indexOf(token.letter) >= 0) {
                    change.put(index, date[0]);
                } else if (token.count == 2 && "yu".indexOf(token.letter) >= 0) {
                    change.put(index, date[0].substring(2));
                } else if (token.count == 2 && token.letter == 'M') {
                    change.put(index, date[1]);
                } else if (token.count == 2 && token.letter == 'd') {
                    change.put(index, date[2]);
                } else if (token.count == 1 && token.letter == 'M') {
                    change.put(index, String.valueOf(Integer.parseInt(date[1])));
                } else if (token.count == 1 && token.letter == 'd') {
                    change.put(index, String.valueOf(Integer.parseInt(date[2])));
                } else if (token.count == 3 && token.letter == 'D') {
                    change.put(index, "366");
                }
            }
            changes.add(change);
        }
        return changes;
    }

    static String write(List<Token> tokens, Map<Integer, String> change, int count) {
        StringBuilder text = new StringBuilder();
        for (int index = 0; index < count; index++) {
            text.append(change.getOrDefault(index, plain(tokens.get(index))));
        }
        return text.toString();
    }

    /** The part of 2024-01-31T19:05:06.125+01:00 that a token writes. */
    static String plain(Token token) {
        boolean isLong = token.count > 3;
        boolean isShort = token.count == 1;
        return switch (token.letter) {
            case 'y', 'u' -> token.count == 2 ? "24" : "2024";
            case 'M', 'L' -> isShort ? "1" : token.count == 2 ? "01" : isLong ? "January" : "Jan";
            case 'd' -> "31";
            case 'D' -> isShort ? "31" : token.count == 2 ? "31" : "031";
            case 'E' -> isLong ? "Wednesday" : "Wed";
            case 'H' -> "19";
            case 'h' -> isShort ? "7" : "07";
            case 'm' -> isShort ? "5" : "05";
            case 's' -> isShort ? "6" : "06";
            case 'a' -> "PM";
            case 'S' -> "125000000".substring(0, token.count);
            case 'X', 'x' -> token.count == 3 || token.count == 5 ? "+01:00" : "+0100";
            case 'Z' -> token.count == 5 ? "+01:00" : "+0100";
            default -> token.literal;
        };
    }

    static List<String> others(Token token) {
        List<String> numbers = List.of("0", "00", "000", "1", "01", "001", "7", "07", "9", "09", "10", "12", "13", "23", "24", "29", "30", "31",
            "32", "59", "60", "61", "99", "100", "-1", "+1", "+01", " 1", "1 ", "x", "", "٣١");
        return switch (token.letter) {
            case 'y', 'u' -> List.of("24", "2024", "02024", "12024", "024", "0024", "0000", "0", "1", "0001", "999", "0999", "1000", "9999",
                "10000", "-2024", "+2024", "+12024", "00", "49", "50", "22", "23", "99", "1950", " 24", "24 ", "2O24", "");
            case 'M', 'L' -> token.count < 3 ? numbers : List.of("jan", "JAN", "Jan", "jAn", "January", "january", "Janua", "Feb", "February",
                "Mar", "March", "Mär", "Apr", "May", "may", "June", "Jun", "Jul", "Aug", "Sep", "Sept", "September", "Oct", "Okt", "Nov",
                "Dec", "December", "Dez", "1", "01", "");
            case 'D' -> List.of("1", "01", "001", "31", "031", "0031", "060", "60", "365", "366", "367", "000", "0", "400", "999", "-31", "");
            case 'E' -> List.of("Wed", "wed", "WED", "Wednesday", "wednesday", "Thu", "Thursday", "Mi", "We", "3", "");
            case 'd', 'H', 'h', 'm', 's' -> numbers;
            case 'a' -> List.of("AM", "am", "pm", "Pm", "P", "p.m.", "a.m.", "", " PM");
            case 'S' -> List.of("0", "1", "12", "123", "1234", "12345", "123456", "1234567", "12345678", "123456789", "1234567890",
                "000000000", "999999999", "999", "-12", "12x", "");
            case 'X', 'x', 'Z' -> List.of("Z", "z", "+00", "-00", "+01", "-01", "+1", "+1:00", "+01:00", "-01:00", "+0100", "-0530", "-05:30", "+0030",
                "+00:00", "+0000", "-0000", "+18", "+18:00", "+1800", "-18:00", "-1800", "+18:01", "+1801", "+19:00", "+1900", "+23:59",
                "+24:00", "+25:00", "+2500", "+01:60", "+0160", "+01:00:30", "+010030", "+18:00:01", "+180001", "+00:00:30", "+000030",
                "+01:00:", "01:00", "UTC", "GMT", "");
            default -> List.of("", " ", token.literal + token.literal, token.literal + " ", " " + token.literal, "-", "T", "t",
                token.literal.toLowerCase(Locale.ROOT));
        };
    }
}
