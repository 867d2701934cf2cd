-- The rules that all summaries share, each written once. The published file holds them too, so the SQL files beside this one run
-- there as they are: SELECT part(co2e_kg, 0, 17, 31) FROM dcycle.waste_water_treatments.

-- Which records count: the active ones. (An active record always has both dates: one without them is quarantined.)
CREATE OR REPLACE MACRO is_counted(status, start_date, end_date) AS
    status = 'active' AND start_date IS NOT NULL AND end_date IS NOT NULL;

-- Days of a period, both ends inclusive.
CREATE OR REPLACE MACRO day_count(first_date, last_date) AS (last_date - first_date + 1)::BIGINT;

-- First days of the calendar months that a period touches.
CREATE OR REPLACE MACRO months_touched(first_date, last_date) AS
    generate_series(date_trunc('month', first_date), date_trunc('month', last_date), INTERVAL 1 MONTH)::DATE[];

-- A quantity as whole billionths of its unit, and back. DuckDB divides DECIMALs to a DOUBLE, but whole numbers exactly (//).
CREATE OR REPLACE MACRO billionths(quantity) AS (quantity::DECIMAL(28, 9) * 1000000000)::HUGEINT;
CREATE OR REPLACE MACRO from_billionths(whole) AS whole::DECIMAL(38, 0) * 0.000000001::DECIMAL(9, 9);

-- The same in 64 bits, for quantities below a million tonnes (10^9 kg). It is about 100 times as fast: HUGEINT is divided bit by bit.
CREATE OR REPLACE MACRO fraction_billionths(fraction) AS
    ((fraction::DECIMAL(9, 9) * 100000000::DECIMAL(9, 0))::DECIMAL(10, 1) * 10::DECIMAL(2, 0))::BIGINT;
CREATE OR REPLACE MACRO from_small_billionths(whole) AS
    (whole // 1000000000)::DECIMAL(18, 9) + (whole % 1000000000)::DECIMAL(9, 0) * 0.000000001::DECIMAL(9, 9);

-- The calendar rule: each day of a period has an equal share of the quantity. This is the day-weighted calendarisation of energy
-- benchmarking ("simple average daily use allocation", helpcenter.energycap.com/Calendarization/Calendarization_Overview.htm; bills
-- reach ENERGY STAR Portfolio Manager in this form). Here the last day counts too, because Dcycle's end_date is inclusive.
-- What belongs to the first `days_passed` days is rounded towards zero to a whole billionth; after the last day it is the quantity
-- itself. In 64 bits the whole units are divided first, then their remainder together with the fraction.
CREATE OR REPLACE MACRO accumulated_small(whole, fraction, days_passed, days) AS
    whole * days_passed // days * 1000000000
    + (whole * days_passed % days * 1000000000 + fraction_billionths(fraction) * days_passed) // days;
CREATE OR REPLACE MACRO part_small(quantity, days_before, days_until, days) AS from_small_billionths(
    accumulated_small(trunc(quantity)::BIGINT, quantity - trunc(quantity), days_until::BIGINT, days::BIGINT)
    - accumulated_small(trunc(quantity)::BIGINT, quantity - trunc(quantity), days_before::BIGINT, days::BIGINT));

-- The share of the days after `days_before` up to `days_until`: all up to the last of them minus all up to the day before the first.
-- So the parts of a period add up to the quantity exactly, however it is cut. Each part is off by less than a billionth.
-- coalesce and not CASE: DuckDB shares the steps of the two subtrahends only outside of CASE, which halves the time. What is too
-- large for 64 bits is null in the first; null stays null.
CREATE OR REPLACE MACRO part(quantity, days_before, days_until, days) AS coalesce(
    part_small(TRY_CAST(quantity AS DECIMAL(18, 9)), days_before, days_until, days),
    CASE WHEN abs(quantity) >= 1000000000 THEN
        from_billionths(billionths(quantity) * days_until // days) - from_billionths(billionths(quantity) * days_before // days) END);
CREATE OR REPLACE MACRO accumulated(quantity, days_passed, days) AS part(quantity, 0, days_passed, days);

-- A ratio of two sums to nine places, half away from zero; null unless the denominator is above zero, or if a number reaches
-- 10^19. Of a negative whole nothing is a share: the sign of the ratio would say the opposite of what happened.
CREATE OR REPLACE MACRO is_moderate(quantity) AS abs(quantity) < 10000000000000000000::DECIMAL(38, 9);
CREATE OR REPLACE MACRO ratio_billionths(numerator, denominator) AS
    numerator // denominator * 1000000000 + (numerator % denominator * 2000000000 // denominator
        + CASE WHEN numerator < 0 THEN -1 ELSE 1 END) // 2;
CREATE OR REPLACE MACRO ratio(numerator, denominator) AS TRY_CAST(from_billionths(ratio_billionths(
    billionths(CASE WHEN is_moderate(numerator) THEN numerator END),
    billionths(CASE WHEN denominator > 0 AND is_moderate(denominator) THEN denominator END))) AS DECIMAL(28, 9));

-- Year on year: why there is no change to the year before; null if there is one. Both years must be complete: every day that is owed
-- is covered, and nothing is pending. `before_…` are the figures of the year before.
CREATE OR REPLACE MACRO incomplete(year, covered_days, due_days, pending_record_count) AS
    CASE WHEN due_days IS NULL THEN year || ': no data'
        WHEN covered_days < due_days THEN year || ': ' || covered_days || ' of ' || due_days || ' days covered'
        WHEN pending_record_count > 0 THEN year || ': ' || pending_record_count || ' pending' END;
CREATE OR REPLACE MACRO no_change_reason(
    year, figure, covered_days, due_days, pending_record_count, before_figure, before_covered_days, before_due_days, before_pending
) AS coalesce(
    incomplete(year - 1, before_covered_days, before_due_days, before_pending),
    incomplete(year, covered_days, due_days, pending_record_count),
    CASE WHEN before_figure IS NULL THEN (year - 1) || ': no figure' WHEN figure IS NULL THEN year || ': no figure'
        WHEN before_figure = 0 THEN (year - 1) || ': zero, of which nothing is a share'
        WHEN before_figure < 0 THEN (year - 1) || ': negative, of which nothing is a share'
        WHEN ratio(figure - before_figure, before_figure) IS NULL THEN 'too large to be a share' END);

-- What a group lacks goes before its days: an organisation that was not read may owe days that nobody knows of.
CREATE OR REPLACE MACRO missing_reason(missing_member_count) AS
    CASE WHEN missing_member_count > 0 THEN 'organisations missing or incomplete: ' || missing_member_count END;
