import doctest
import time

try:
    from odoo.tests import BaseCase
except ImportError:  # outside of Odoo
    from unittest import TestCase as BaseCase

from ..capi import user_agent
from ..capi.user_agent import is_person

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
IOS = f"{IPHONE} (KHTML, like Gecko) Mobile/21F79"
ANDROID = "Mozilla/5.0 (Linux; Android 13; SM-S918B Build/TP1A.220624.014; wv)"
WEBVIEW = (
    f"{ANDROID} AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
    " Chrome/119.0.6045.66 Mobile Safari/537.36"
)
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36"
LINUX = f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36"

PEOPLE = (
    # The browsers inside apps.
    f"{IOS} Instagram 330.0.0.0.0 (iPhone14,3; iOS 17_5; en_US; en; scale=3.00; 1125x2436)",
    f"{WEBVIEW} Instagram 308.0.0.36.109 Android (33/13; 420dpi; 1080x2340; samsung; SM)",
    f"{WEBVIEW} Instagram 308.0.0.36.109 Android (29/10; 320dpi; 720x1460; CUBOT; CUBOT_P20)",
    f"{IOS} [FBAN/FBIOS;FBAV/455.0.0.31.112;FBBV/576;FBDV/iPhone14,7;FBMD/iPhone;FBSN/iOS]",
    f"{WEBVIEW} [FB_IAB/FB4A;FBAV/455.0.0.44.88;IABMV/1;]",
    "[FBAN/FB4A;FBAV/567.1.0.52.74;FBBV/1003893689;FBLC/nl_NL;FBMF/samsung;FBDV/SM-S921B]",
    f"{IOS} LightSpeed [FBAN/MessengerLiteForiOS;FBAV/410.0.0.23.86;FBDV/iPhone14,7]",
    f"{IOS} [FBAN/MessengerForiOS;FBAV/440.0.0.30.105;FBDV/iPhone14,7;FBOP/5]",
    f"{WEBVIEW} [FB_IAB/Orca-Android;FBAV/440.0.0.28.110;]",
    f"{IOS} Barcelona 334.0.0.36.107 (iPhone14,3; iOS 17_5; en_US; en; scale=3.00)",
    f"{WEBVIEW} WhatsApp/2.23.20.76",
    f"{IOS} WhatsApp/23.20.79",
    f"{IOS} [Pinterest/iOS]",
    f"{WEBVIEW} [Pinterest/Android]",
    f"{IOS} musical_ly_32.5.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/en"
    " Region/US RevealType/Dialog isDarkMode/0 WKWebView/1 BytedanceWebview/d8a21c6",
    f"{WEBVIEW} trill_2021806060 JsSdk/1.0 NetType/WIFI Channel/googleplay AppName/trill",
    f"{IOS} Snapchat/12.60.0.45 (like Safari/8617.2.4.10.8, panda)",
    f"{IOS} Twitter for iPhone/10.20",
    f"{IOS} [LinkedInApp]/9.29.7583",
    f"{IOS} Safari/604.1 Line/13.19.1/IAB",
    f"{IOS} MicroMessenger/8.0.44(0x18002c2d) NetType/WIFI Language/de",
    f"{IPHONE} (KHTML, like Gecko) GSA/300.0.598994205 Mobile/15E148 Safari/604.1",
    f"{WEBVIEW} Telegram-Android/10.9.1 (Samsung SM-S918B; Android 13; SDK 33; HIGH)",
    f"{IOS} NAVER(inapp; search; 2000; 12.3.6; 14PRO)",
    f"{WEBVIEW} CamScanner/4.8.5.2310271827",
    # Phones and tablets, whatever they are called.
    f"Mozilla/5.0 (Linux; Android 10; CUBOT_P20) {CHROME} Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 6.0; POWER BOT Build/MRA58K) {CHROME} Mobile Safari/537",
    f"Mozilla/5.0 (Linux; Android 13; Spider 8) {CHROME} Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 5.1; PHANTOM PZ35 Build/LMY47I; wv) {CHROME} Mobile",
    "Mozilla/5.0 (Linux; U; Android 4.2.1; de-de; CUBOT GT99 Build/JOP40D)"
    " AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30",
    f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36 (Ecosia"
    " android@111.0.5563.116)",
    f"Mozilla/5.0 (Linux; Android 12; Pixel 6 Build/SD1A.210817.023) {CHROME} Mobile",
    f"{IPHONE} (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPad; CPU OS 9_3_5 like Mac OS X) AppleWebKit/601.1.46 (KHTML, like"
    " Gecko) Version/9.0 Mobile/13G36 Safari/601.1",
    f"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) {CHROME} Mobile Safari/537.36"
    " SamsungBrowser/23.0",
    "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423",
    "Opera/9.80 (J2ME/MIDP; Opera Mini/8.0.35626/19.886; U; ru) Presto/2.5.25",
    "UCWEB/2.0 (Java; U; MIDP-2.0; Nokia203/20.37) U2/1.0.0 UCMini/10.9.8.1006 Mobile",
    "BlackBerry9000/4.6.0.167 Profile/MIDP-2.0 Configuration/CLDC-1.1 VendorID/102",
    "SonyEricssonK800i/R1ED Browser/NetFront/3.3 Profile/MIDP-2.0 Configuration/CLDC-1.1",
    "Nokia6230/2.0 (04.44) Profile/MIDP-2.0 Configuration/CLDC-1.1",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; IEMobile/10.0)",
    # Desks, and what stands beside them.
    WINDOWS,
    LINUX,
    f"{WINDOWS} Edg/140.0.0.0",
    f"{WINDOWS} OPR/114.0.0.0",
    f"Mozilla/5.0 (X11; Ubuntu; Linux x86_64) {CHROME} Safari/537.36",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/17.4 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0; .NET CLR 3.5.30729)",
    "Mozilla/5.0 (compatible; Konqueror/4.5; FreeBSD) KHTML/4.5.4 (like Gecko)",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36",
    "Mozilla/5.0 (PlayStation; PlayStation 5/4.51) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    f"Mozilla/5.0 (Linux; Android 12; MagentaTV Box Build/STTC.220803.001; wv) {CHROME}",
    "Lynx/2.9.0dev.4 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/2.12.23",
)

ROBOTS = (
    "",
    " ",
    None,
    # Previews of links, by the apps that people come from.
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "facebookexternalhit/1.1",
    "facebookcatalog/1.0",
    "meta-externalads/1.1",
    "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    "meta-externalfetcher/1.1",
    "meta-webindexer/1.1",
    "Mozilla/5.0 (compatible; meta-externalads/1.1)",
    "Facebot",
    "Instagram",
    "WhatsApp/2.23.20.0",
    "WhatsApp/2.18.76 A",
    "WhatsApp/2.2587.9 N",
    "Pinterest/0.2 (+https://www.pinterest.com/bot.html)",
    "Mozilla/5.0 (compatible; Pinterestbot/1.0; +https://www.pinterest.com/bot.html)",
    "TelegramBot (like TwitterBot)",
    "Twitterbot/1.0",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    f"{IOS} Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko)"
    " Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "Mozilla/5.0 (compatible; TikTokSpider; ttspider-feedback@tiktok.com)",
    "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/5"
    "37.36 (compatible; Bytespider; spider-feedback@bytedance.com)",
    # Crawlers.
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like"
    " Gecko) Chrome/140.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1;"
    " +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like"
    " Gecko) Chrome/84.0 Mobile Safari/537.36 (compatible; Google-InspectionTool/1.0)",
    "AdsBot-Google (+http://www.google.com/adsbot.html)",
    "Mediapartners-Google",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)",
    f"{LINUX.replace('X11; Linux x86_64', 'X11; Linux x86_64; compatible; ClaudeBot/1.0')}",
    "CCBot/2.0 (https://commoncrawl.org/faq/)",
    "Mozilla/5.0 (compatible; TrendsmapResolver/0.1)",
    # Monitors and measurements.
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    f"{WINDOWS} PingdomPageSpeed/1.0 (pingbot/2.0; +http://www.pingdom.com/)",
    "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/534.34 (KHTML, like Gecko)"
    " PingdomTMS/0.8.5 Safari/534.34",
    f"{WINDOWS} (StatusCake)",
    f"{LINUX} DatadogSynthetics",
    f"{LINUX} PTST/240927.215423",
    f"{LINUX} Chrome-Lighthouse",
    f"{LINUX} GTmetrix",
    "Site24x7",
    # Browsers without anybody in front.
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " HeadlessChrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko)"
    " PhantomJS/2.1.1 Safari/538.1",
    f"{LINUX} Puppeteer",
    # Libraries.
    "curl/8.5.0",
    "Wget/1.21.3",
    "python-requests/2.31.0",
    "Python/3.11 aiohttp/3.9.1",
    "python-httpx/0.27.0",
    "Go-http-client/2.0",
    "okhttp/4.12.0",
    "Apache-HttpClient/4.5.14 (Java/17.0.9)",
    "Java/17.0.9",
    "axios/1.6.7",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    "PostmanRuntime/7.36.3",
    "Dalvik/2.1.0 (Linux; U; Android 13; SM-S918B Build/TP1A.220624.014)",
    "Shop/1.0 CFNetwork/1410.0.3 Darwin/22.6.0",
    "libwww-perl/6.72",
    "Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)",
)


class TestIsPerson(BaseCase):
    def test_examples_of_the_docstrings(self):
        self.assertFalse(doctest.testmod(user_agent).failed)

    def test_who_looks_at_pages_is_a_person_whatever_app_or_phone_it_is(self):
        for agent in PEOPLE:
            with self.subTest(agent):
                self.assertTrue(is_person(agent))

    def test_what_reads_pages_for_somebody_is_none(self):
        for agent in ROBOTS:
            with self.subTest(agent):
                self.assertFalse(is_person(agent))

    def test_whatever_a_stranger_sends_is_judged_in_no_time(self):
        for part in ("android 1; ", "a@", "compatible;  ", "bot", "x.com", "é", "  @ "):
            agent = "Mozilla/5.0 " + part * 100_000
            with self.subTest(part):
                started = time.perf_counter()
                is_person(agent)
                self.assertLess(time.perf_counter() - started, 0.05)
