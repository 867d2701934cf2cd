"""The invented holding in words: its organisations, sites and people. Its numbers belong to `holding`."""

from typing import NamedTuple


class Company(NamedTuple):
    """An organisation below the root; `key` and `parent` are names within this file."""

    key: str
    name: str
    parent: str


class Place(NamedTuple):
    """A facility, and how its treatment records come: water in m³ a month, from the first year to the last."""

    company: str
    name: str
    country: str
    address: str
    kind: str = "factory"
    monthly_m3: float = 0.0
    first_year: int = 2021
    last_year: int = 2026
    rhythm: str = "month"
    """The length of a record: month (28 to 35 days) | week | day (one a month) | quarter."""
    tourism: bool = False
    """Much more water in summer than in winter."""
    hub_category: str | None = None


COMPANIES = (
    Company("iberica", "Áurea Ibérica de Aguas, S.A.", "root"),
    Company("levante", "Saneamientos del Levante Áureo, S.L.", "iberica"),
    Company("atlantico", "Águas do Atlântico Áureo, Lda.", "root"),
    Company("provence", "Eaux d'Or de Provence, SAS", "root"),
    Company("nord", "Áurea Wasser Nord GmbH", "root"),
    Company("sequia", "Proyecto Cero Sequía 2030", "root"),
)

PLACES = (
    Place("root", "Sede Central Áurea", "ES", "Paseo de la Independencia 21, Zaragoza", "office"),
    Place("root", "Laboratorio de Aguas", "ES", "Calle del Ensayo 4, Zaragoza", "office"),
    Place("root", "Almacén General PLAZA", "ES", "Calle Turiaso 12, Zaragoza", "warehouse"),
    Place("root", "Nave Logística Áurea", "ES", "Ronda del Canal 3, Zaragoza", "warehouse",
          hub_category="warehouse_ambient"),
    Place("iberica", "EDAR La Cartuja Dorada", "ES", "Camino de la Cartuja s/n, Zaragoza", monthly_m3=100_000,
          first_year=2019),
    Place("iberica", "EDAR Almendral", "ES", "Ctra. N-630 km 12, Almendral", monthly_m3=42_000, first_year=2020),
    Place("iberica", "EDAR Peñarroya Playa", "ES", "Avda. del Mar 2, Peñarroya", monthly_m3=55_000, tourism=True),
    Place("iberica", "EDAR Ribera del Íbor", "ES", "Vega de Íbor, Cáceres", monthly_m3=18_500),
    Place("iberica", "EDAR Cangas de Onís", "ES", "Barrio del Puente, Cangas", monthly_m3=3_100, first_year=2022),
    Place("iberica", "EDAR Valdeño", "ES", "Camino Viejo 1, Valdeño", monthly_m3=640, first_year=2022),
    Place("iberica", "EDAR Vieja de Alcañiz", "ES", "Ribera del Guadalope, Alcañiz", monthly_m3=2_200, first_year=2018,
          last_year=2021),
    Place("iberica", "EDAR Nueva de Teruel (en obras)", "ES", "Polígono La Paz, Teruel"),
    Place("iberica", "Oficina Técnica Cáceres", "ES", "Plaza Mayor 9, Cáceres", "office"),
    Place("levante", "EDAR Torreseca", "ES", "Partida del Pla, Torreseca", monthly_m3=27_000, tourism=True),
    Place("levante", "EDAR Xàtiva Sud", "ES", "Camí de la Séquia, Xàtiva", monthly_m3=12_800, first_year=2020),
    Place("levante", "EDARI Cítricos Algímia", "ES", "Polígon Industrial 7, Algímia", monthly_m3=8_000,
          first_year=2019, rhythm="week"),
    Place("levante", "Fosa Isla Menor", "ES", "Illa Menor, Alacant", monthly_m3=5, first_year=2020, last_year=2023,
          rhythm="day"),
    Place("levante", "Oficina València", "ES", "Carrer de Colom 40, València", "office"),
    Place("atlantico", "ETAR de São Jacinto", "PT", "Estrada da Ria, Aveiro", monthly_m3=31_000, first_year=2020),
    Place("atlantico", "ETAR de Guimarães Nascente", "PT", "Rua da Veiga 8, Guimarães", monthly_m3=22_000),
    Place("atlantico", "ETAR de Évora", "PT", "Monte das Flores, Évora", monthly_m3=7_400, first_year=2022),
    Place("atlantico", "ETAR Antiga de Setúbal", "PT", "Cais Velho, Setúbal", monthly_m3=4_800, first_year=2018,
          last_year=2020),
    Place("atlantico", "Escritório de Lisboa", "PT", "Rua do Ouro 77, Lisboa", "office"),
    Place("provence", "STEP d'Aubagne", "FR", "Chemin de la Source, Aubagne", monthly_m3=36_500),
    Place("provence", "STEP de Fréjus-Plage", "FR", "Boulevard de la Mer, Fréjus", monthly_m3=24_000, tourism=True),
    Place("provence", "STEP d'Orange", "FR", "Route de Caderousse, Orange", monthly_m3=15_200, first_year=2022),
    Place("provence", "Micro-station Les Églantiers", "FR", "Lieu-dit Les Églantiers, Apt", monthly_m3=12,
          rhythm="quarter"),
    Place("provence", "Bureau de Marseille", "FR", "Rue Paradis 110, Marseille", "office"),
    Place("provence", "Entrepôt de Vitrolles", "FR", "Avenue de Rome 5, Vitrolles", "warehouse",
          hub_category="transshipment_mixed"),
    Place("nord", "Klärwerk Lübeck-Süd", "DE", "Kronsforder Allee 200, Lübeck", monthly_m3=61_000, first_year=2020),
    Place("nord", "Kläranlage Görlitz", "DE", "Neißeweg 3, Görlitz", monthly_m3=14_300),
    Place("nord", "Kläranlage Altdöbern", "DE", "Am Bruch 1, Altdöbern", monthly_m3=1_900, first_year=2017,
          last_year=2019),
    Place("nord", "Oczyszczalnia Łódź-Wschód", "PL", "ul. Źródlana 14, Łódź", monthly_m3=73_000),
    Place("nord", "Oczyszczalnia Świdnica", "PL", "ul. Młyńska 2, Świdnica", monthly_m3=9_600, first_year=2022),
    Place("nord", "Büro Hamburg", "DE", "Große Elbstraße 50, Hamburg", "office"),
    Place("sequia", "PTAR San José Iturbide", "MX", "Carretera 57 km 34, San José Iturbide", monthly_m3=47_000),
    Place("sequia", "PTAR León Norte", "MX", "Blvd. Hidalgo 900, León", monthly_m3=88_000, first_year=2022),
    Place("sequia", "PTAR Mérida Poniente", "MX", "Calle 90, Mérida", monthly_m3=19_700, first_year=2023),
    Place("sequia", "Oficina Querétaro", "MX", "Av. Constituyentes 15, Querétaro", "office"),
)  # fmt: skip

PEOPLE = (
    ("Aránzazu-Noa", "Zubizarretagoikoa"),
    ("Íñigo-Lope", "Peñafortúnez"),
    ("Eufrásia-Inês", "Gonçalvínho"),
    ("Thaïs-Aurore", "Quenneville-Brouâtre"),
    ("Jürgen-Fürchtegott", "Straußenmüller"),
    ("Świętosława", "Brzęczyszczykowska"),
    ("Xóchitl-Citlali", "Ñáñez-Huitrón"),
    ("Wenceslao-Tello", "Óbregonyà"),
)
