"""Reading buffers, files, configuration lists and what outlasts a restart on a simulated 2450."""

from __future__ import annotations

from typing import Any

import pytest

from mtjlab.sim_instruments.keithley_2450 import SimKeithley2450
from mtjlab.sim_instruments.scpi_errors import ScpiError
from mtjlab.sim_instruments.wire_instrument import NoReply

from .k2450 import ON, errors, on_a_kilohm


@pytest.fixture
def smu() -> SimKeithley2450:
    return on_a_kilohm()


def test_writable_buffers(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ':TRAC:MAKE "write2me",1000,WRIT', ':TRAC:WRIT:FORM "write2me",WATT,4')
    tell(smu, *[f':TRAC:WRIT:READ "write2me",{k}' for k in (1, 2, 3)])
    assert ask(smu, ':TRAC:DATA? 1,3,"write2me",READ,UNIT,REL') == (
        "1.000000E+00,Watt DC,0.000000,2.000000E+00,Watt DC,1.000000,3.000000E+00,Watt DC,2.000000"
    )
    tell(smu, ':TRAC:MAKE "both",1000,FULLWRIT', ':TRAC:WRIT:FORM "both",VOLT,4,OHM,5')
    tell(smu, ':TRAC:WRIT:READ "both",1,7,100,0.5,256')
    assert ask(smu, ':TRAC:DATA? 1,1,"both",READ,EXTR,FRAC,STAT') == "1.000000E+00,7.000000E+00,0.500000000,256"
    tell(smu, ':TRAC:WRIT:READ "both",1,7,50', ':TRAC:WRIT:READ "defbuffer1",1', ':TRAC:TRIG "both"')
    assert errors(smu) == [-221, -221, -221]


def test_capacity_is_shared(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ':TRAC:MAKE "large",6000000', ':TRAC:MAKE "more",1000000', ':TRAC:MAKE "compact",1000000,COMP')
    assert errors(smu) == [-222], "four compact readings take the room of one"
    tell(smu, ':TRAC:POIN 10,"defbuffer1"', ':TRAC:DEL "large"', ':TRAC:MAKE "more",1000000')
    assert ask(smu, ':TRAC:POIN? "more";:TRAC:POIN?') == "1000000;10"
    assert errors(smu) == []


def test_statistics_count_what_was_overwritten(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ":TRAC:POIN 10", ON, ":SENS:COUN 10;:TRAC:TRIG", ":SOUR:VOLT 0.3;:TRAC:TRIG")
    assert float(ask(smu, ":TRAC:STAT:AVER?")) == pytest.approx(2e-4, rel=1e-2)
    assert float(ask(smu, ":TRAC:STAT:PK2P?")) == pytest.approx(2e-4, rel=1e-2)
    tell(smu, ":TRAC:STAT:CLE")
    assert ask(smu, ":TRAC:STAT:AVER?;:TRAC:ACT?") == "9.900000E+37;10"
    tell(smu, ":TRAC:FILL:MODE ONCE")
    assert ask(smu, ":TRAC:ACT?") == "0", "a change of the fill mode empties it"
    tell(smu, ":SENS:COUN 15;:TRAC:TRIG")
    assert ask(smu, ":TRAC:ACT?;ACT:STAR?;END?") == "10;1;10"


def test_filling_and_emptying_are_events(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ":STAT:OPER:MAP 0,4918,4917;ENAB 1", ":TRAC:POIN 10;:SENS:COUN 10;:TRAC:TRIG")
    assert ask(smu, ":STAT:OPER:COND?") == "1"
    assert int(ask(smu, "*STB?")) & 128
    tell(smu, ":TRAC:CLE")
    assert ask(smu, ":STAT:OPER:COND?;:STAT:OPER?") == "0;1"
    tell(smu, ":SYST:CLE;:TRAC:LOG:STAT OFF;:TRAC:TRIG")
    assert ask(smu, ":SYST:EVEN:COUN?;:TRAC:LOG:STAT? 'defbuffer2'") == "0;1"


def test_readings_go_to_files(smu: SimKeithley2450, tell: Any) -> None:
    tell(
        smu, ON, ":SENS:COUN 3;:TRAC:TRIG", ':TRAC:SAVE "/usb1/data"', ':TRAC:SAVE "/usb1/rel.csv","defbuffer1",REL,2,3'
    )
    lines = smu.drive.files["/usb1/data.csv"].splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("1,1.0") and ",Amp DC," in lines[1] and "01/01/2026" in lines[1]
    assert len(smu.drive.files["/usb1/rel.csv"].splitlines()) == 3
    tell(smu, ':TRAC:SAVE:APP "/usb1/data.csv"')
    assert len(smu.drive.files["/usb1/data.csv"].splitlines()) == 8
    tell(smu, ':TRAC:SAVE "/tmp/data"', ':TRAC:SAVE "/usb1/data.txt"', ':SYST:EVEN:SAVE "/usb1/log",ERR')
    assert errors(smu) == [-224, -224]
    assert smu.drive.files["/usb1/log.csv"].count("-224") == 2


def test_precision_and_times(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":FORM:ASC:PREC 10")
    assert len(ask(smu, ":READ?").replace("-", "")) == len("1.000000000E04")
    tell(smu, ":SYST:TIME 2014,8,29,11,30,30")
    assert ask(smu, ":SYST:TIME? 1").startswith("Fri Aug 29 11:30:30")
    assert int(ask(smu, ":SYST:TIME?")) == 1409311830
    date, clock, stamp, seconds = ask(smu, ":READ? 'defbuffer1',DATE,TIME,TST,SEC").split(",")
    assert (date, clock) == ("08/29/2014", "11:30:30")
    assert stamp.startswith("08/29/2014 11:30:30.") and len(stamp) == len("08/29/2014 11:30:30.123456789")
    assert int(seconds) == 1409311830
    tell(smu, ":SYST:TIME 12,0,0", ":SYST:TIME 1969,1,1,0,0,0", ":SYST:TIME 2014,2,30,0,0,0", ":SYST:TIME 1,2")
    assert ask(smu, ":SYST:TIME? 1").startswith("Fri Aug 29 12:00:00")
    assert errors(smu) == [-222, -222, -109]


def test_configuration_lists_of_both_kinds(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR:CONF:LIST:CRE 's';:SENS:CONF:LIST:CRE 'm'")
    for volts, scale in ((0.1, 1e-3), (0.2, 1e-2)):
        tell(smu, f":SOUR:VOLT {volts};:SENS:CURR:RANG {scale}", ":SOUR:CONF:LIST:STOR 's';:SENS:CONF:LIST:STOR 'm'")
    tell(smu, ":SENS:CONF:LIST:REC 'm',1,'s'")
    assert ask(smu, ":SOUR:VOLT?;:SENS:CURR:RANG?;:OUTP?") == "0.1;0.001;1"
    assert smu.output.point().volts == pytest.approx(0.1, abs=1e-3)
    tell(smu, ":SOUR:CONF:LIST:REC 's',2,'m',2")
    assert ask(smu, ":SOUR:VOLT?;:SENS:CURR:RANG?") == "0.2;0.01"
    assert smu.output.point().amps == pytest.approx(2e-4, rel=1e-2)
    assert "smu.source.level = 0.1" in ask(smu, ":SOUR:CONF:LIST:QUER? 's',1").split(",")
    assert ask(smu, ":SENS:CONF:LIST:QUER? 'm',2,2").count(";") >= 5
    tell(smu, ":SOUR:CONF:LIST:DEL 's',1")
    assert ask(smu, ":SOUR:CONF:LIST:SIZE? 's';:SENS:CONF:LIST:SIZE? 'm'") == "1;2"
    assert [ask(smu, ":SOUR:CONF:LIST:CAT?") for _ in range(2)] == ["s", ""]
    tell(smu, ":SOUR:CONF:LIST:CRE 'm'", ":SOUR:CONF:LIST:DEL 'm'", ":SENS:CONF:LIST:REC 'm',5")
    assert errors(smu) == [1115, 2790, 2790]


def test_setups_outlast_a_restart(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SENS:CURR:NPLC 5;:SOUR:CONF:LIST:CRE 's';:SOUR:CONF:LIST:STOR 's';*SAV 2;*RST;:SYST:POS SAV2")
    assert ask(smu, ":SENS:CURR:NPLC?") == "1"
    smu.power_cycle()
    assert ask(smu, ":SENS:CURR:NPLC?;:OUTP?;:SOUR:CONF:LIST:SIZE? 's';*ESR?") == "5;0;1;128"
    tell(smu, ":SYST:POS RST;:SYST:ACC EXCL;:SYST:GPIB:ADDR 26;:DISP:READ:FORM EXP;:DISP:LIGH:STAT OFF", "*RCL 3")
    smu.power_cycle()
    assert (
        ask(smu, ":SENS:CURR:NPLC?;:SYST:ACC?;:SYST:GPIB:ADDR?;:DISP:READ:FORM?;:DISP:LIGH:STAT?")
        == "1;EXCL;26;EXP;ON50"
    )


def test_another_language_is_stored_and_honestly_absent(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, "*LANG TSP")
    assert ask(smu, "*LANG?;:OUTP?") == "SCPI;0", "until the restart nothing changes"
    smu.power_cycle()
    assert ask(smu, "*LANG?") == "TSP"
    assert ask(smu, "*IDN?").startswith("KEITHLEY")
    with pytest.raises(NoReply):
        ask(smu, "print(smu.measure.read())", 0.1)
    assert errors(smu)[0] == -200
    tell(smu, "*LANG SCPI")
    smu.power_cycle()
    assert ask(smu, "*LANG?;:SOUR:FUNC?") == "SCPI;VOLT"


def test_what_a_trip_leaves(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ':TRIG:LOAD "LoopUntilEvent",DISP,50', ":INIT")
    smu.trip_output(ScpiError(-300))
    assert ask(smu, ":OUTP?;:TRIG:STAT?").startswith("0;ABORTED")
    assert ask(smu, ":SYST:ERR?").startswith("5074,")
    assert smu.output.point().amps == pytest.approx(0, abs=1e-7)


def test_display_and_system(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ":DISP:CLE;:DISP:SCR SWIPE_USER;:DISP:USER1:TEXT 'Batch A122 and more than fits';:DISP:CURR:DIG 4")
    assert smu.panel.texts == {1: "Batch A122 and more "}
    assert ask(smu, ":DISP:CURR:DIG?;:DISP:VOLT:DIG?;:SYST:VERS?") == "4;5;1996.0"
    tell(smu, ":SYST:COMM:LAN:CONF 'MANUAL,192.168.0.1,255.255.240.0'")
    assert ask(smu, ":SYST:COMM:LAN:CONF?") == "MANual,192.168.0.1,255.255.240.0,0.0.0.0"
    tell(smu, ":SCR:RUN 'mine'", ":SYST:BEEP 500,1", ":SYST:PASS:NEW 'x'", ":DISP:USER3:TEXT 'x'")
    assert errors(smu) == [-224, -114]


def test_the_log_keeps_types_apart(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    for kind in ("INF", "WARN", "ERR", "INF"):
        tell(smu, f":SYST:EVEN:POST '{kind.lower()}',{kind}")
    assert ask(smu, ":SYST:EVEN:COUN?;:SYST:EVEN:COUN? WARN,ERR;:SYST:ERR:COUN?") == "4;2;1"
    assert ask(smu, ":SYST:EVEN:NEXT? WARN").startswith('1002,"User: warn;2;')
    assert ask(smu, ":SYST:ERR?").startswith('1001,"User: err;1;')
    assert ask(smu, ":SYST:ERR?") == '0,"No error;0;0 0"'
    assert ask(smu, ":SYST:EVEN:COUN?") == "1", "what is older than an error read counts as read"
